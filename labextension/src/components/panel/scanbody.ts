/** An opened scan in the panel: where it runs, what can be done with it, and its jobs. */
import type { Action, ScanInfo } from "../../wire";
import { Commands } from "../scan/commands";
import type { PanelHost } from "../scan/host";
import { actionsFor, backendName } from "../scan/progress";
import { scanMenuItems } from "../scan/scanmenu";
import { RankMenu } from "../scan/rankmenu";
import { warningsOf } from "../scan/sentences";
import type { ScanStore, StoreChange } from "../scan/store";
import { gpuHours } from "../scan/values";
import { button, drawIfChanged, h, near, setAttributes } from "../ui/dom";
import { t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { updateList } from "../ui/keyedlist";
import { type MenuItem, PopupMenu } from "../ui/popup";
import { QuestionBar } from "../ui/questionbar";
import { clip, full } from "../ui/text";
import { drawWarnings } from "../ui/warnings";
import { type PanelLine, PanelLines, type Section } from "./lines";
import { drawLine, type LineAbilities } from "./lineview";
import { RowsByState } from "./rowsbystate";

/** What an opened scan needs from the panel. */
export interface BodyEvents {
  host: PanelHost;
  /** The job that was opened last, in any of the scans. */
  chosen: { scan: string; job: string };
  /** Something has to be drawn. */
  changed(): void;
  /** Shows a sentence to the user. */
  say(text: string): void;
  /** Opens the log of the runner of a scan. */
  runnerLog(scan: ScanInfo): void;
}

const LABELS: Partial<Record<Action, string>> = {
  pause: "Pause",
  resume: "Resume",
  stop: "Stop",
};

/** The part of a scan that is there only while it is open. */
export class ScanBody {
  readonly element = h("div", { class: "gg-body-part", role: "none" });
  private readonly top = h("div", { role: "treeitem", "aria-level": 2 });
  private readonly details = h("div", { class: "gg-ds" });
  private readonly warnings = h("div", { class: "gg-warnings", role: "status" });
  private readonly bar = h("div", { class: "gg-bt", "data-stop": "", role: "group" });
  private readonly buttons = h("span", { class: "gg-acts" });
  private readonly list = h("div", { class: "gg-js", role: "group" });
  private readonly question = new QuestionBar();
  private readonly rank: RankMenu;
  private readonly popup = new PopupMenu(() => this.menuItems());
  private readonly rows = new RowsByState();
  private readonly lines = new PanelLines(this.rows);
  /** See OpenedLines. */
  private readonly toggled = new Set<string>();
  private readonly whole = new Set<Section>();
  private readonly commands: Commands;
  private readonly off: () => void;

  constructor(
    readonly store: ScanStore,
    private readonly events: BodyEvents,
  ) {
    this.commands = new Commands(store, this.question, events.say);
    this.rank = new RankMenu(store);
    for (const { button: menu } of [this.rank, this.popup]) menu.tabIndex = -1;
    const space = h("span", { class: "gg-sp" });
    this.bar.append(openButton("table"), openButton("curves"), space);
    this.bar.append(this.buttons, this.popup.element, this.rank.element);
    this.top.append(this.details, this.warnings, this.bar, this.question.element);
    this.element.append(this.top, this.list);
    this.element.addEventListener("click", (event) => this.click(event));
    this.rows.reset(store.rows.values());
    this.off = store.on((change) => this.receive(change));
  }

  dispose(): void {
    this.off();
    this.commands.dispose();
  }

  /** Does something with these variants, or with the whole scan where `ids` is null. */
  command(action: Action, ids: string[] | null = null): void {
    this.commands.run(action, ids);
  }

  private receive(change: StoreChange): void {
    switch (change.type) {
      case "data":
        if (change.changed) this.rows.put(change.changed);
        else this.rows.reset(this.store.rows.values());
        break;
      case "said":
        this.commands.answered();
        this.events.say(change.text);
        break;
      case "missing":
      case "link":
        break;
      default:
        // Logs, curves and selections are not shown in the panel.
        return;
    }
    this.events.changed();
  }

  draw(scan: ScanInfo): void {
    const command = !this.store.missing && !scan.foreign;
    const details = JSON.stringify([scan.notebook, scan.backend, scan.gpu_s, scan.note]);
    drawIfChanged(this.details, details, () => detailNodes(scan));
    const foreign = scan.foreign ? [clip(scan.foreign, 400)] : [];
    drawWarnings(this.warnings, [...foreign, ...warningsOf(scan)]);
    setAttributes(this.bar, { "aria-label": t("Scan %1", clip(scan.name, 60)) });
    setAttributes(this.list, { "aria-label": t("Jobs of %1", clip(scan.name, 60)) });
    drawIfChanged(this.buttons, JSON.stringify([scan.state, command]), () =>
      command ? actionButtons(scan) : [],
    );
    this.rank.update();
    this.drawLines(scan, command);
  }

  private drawLines(scan: ScanInfo, command: boolean): void {
    const { host, chosen } = this.events;
    const current = chosen.scan === scan.id ? chosen.job : null;
    const abilities: LineAbilities = { command, notebook: !!host.openNotebook, current };
    const { toggled, whole } = this;
    updateList<PanelLine>(this.list, this.lines.list(scan, { toggled, whole }), {
      key: (line) => line.key,
      draw: (line, old) => drawLine(line, abilities, old),
    });
  }

  private menuItems(): MenuItem[] {
    const { store, events } = this;
    const { scan } = store;
    if (!scan) return [];
    const runnerLog = (): void => events.runnerLog(scan);
    // The panel has buttons of its own that open a scan, so the menu gets no host.
    const actions = { host: {}, ...this.commands.menu(), runnerLog, say: events.say };
    return scanMenuItems(scan, actions);
  }

  private click(event: Event): void {
    const { scan } = this.store;
    if (!scan) return;
    const { do: act, open: what, notebook } = near(event, "button")?.dataset ?? {};
    if (what === "table" || what === "curves") return this.events.host.openTable(scan, what);
    if (act === "retry-all") return this.retryAll();
    if (act === "retry") return this.retry(near(event, "[data-cause]")?.dataset["cause"]);
    if (act) return this.command(act as Action);
    if (notebook) return this.openNotebook(scan, notebook);
    this.clickLine(event, scan);
  }

  private clickLine(event: Event, scan: ScanInfo): void {
    const { job, more, cause } = near(event, "[data-job],[data-more],[data-cause]")?.dataset ?? {};
    if (job !== undefined) this.openJob(scan, job);
    else if (more === "table") this.events.host.openTable(scan, "table");
    else if (more !== undefined) this.toggle(this.whole, more as Section);
    else if (cause !== undefined) this.toggle(this.toggled, cause);
  }

  private openJob(scan: ScanInfo, job: string): void {
    Object.assign(this.events.chosen, { scan: scan.id, job });
    this.events.changed();
    this.events.host.openJob?.(scan, job);
  }

  private toggle<T>(set: Set<T>, key: T): void {
    if (!set.delete(key)) set.add(key);
    this.events.changed();
  }

  private openNotebook(scan: ScanInfo, id: string): void {
    const row = this.store.rows.get(id);
    if (row) this.events.host.openNotebook?.(scan, row);
  }

  private retryAll(): void {
    this.command("retry", [...this.rows.get("failed").keys(), ...this.rows.get("lost").keys()]);
  }

  /** Runs again what failed by one cause. */
  private retry(key: string | undefined): void {
    const rows = this.lines.cause(key ?? "")?.rows;
    if (!rows) return;
    const ids = rows.map((row) => row.id);
    this.command("retry", ids);
  }
}

function openButton(what: "table" | "curves"): HTMLElement {
  const text = what === "table" ? t("Table") : t("Curves");
  return button(text, [text], { "data-open": what, tabindex: -1 });
}

/** `train.ipynb on Slurm`, and the GPU time so far. */
function detailNodes(scan: ScanInfo): Node[] {
  const notebook = scan.notebook.split("/").pop() ?? scan.notebook;
  const where = t("%1 on %2", clip(notebook, 60), backendName(scan));
  return [
    h("span", { class: "gg-cut", title: full(scan.notebook) }, where),
    h("span", { class: "gg-sp" }),
    h("span", {}, scan.gpu_s > 0 ? gpuHours(scan.gpu_s) : ""),
  ];
}

function actionButtons(scan: ScanInfo): Node[] {
  return actionsFor(scan).map((action) => {
    const label = t(LABELS[action] ?? action);
    return button(label, [icon(action)], { class: "gg-i", "data-do": action, tabindex: -1 });
  });
}
