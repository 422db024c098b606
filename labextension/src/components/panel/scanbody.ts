/** What an opened scan shows in the panel: where it runs, what can be done, and its jobs in short. */
import type { Action, ScanInfo } from "../../wire";
import { Commands } from "../scan/commands";
import type { PanelHost } from "../scan/host";
import { actionsFor, backendName } from "../scan/progress";
import { scanMenuItems } from "../scan/scanmenu";
import type { ScanStore, StoreChange } from "../scan/store";
import { gpuHours } from "../scan/values";
import { button, drawIfChanged, h, near } from "../ui/dom";
import { t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { updateList } from "../ui/keyedlist";
import { PopupMenu } from "../ui/popup";
import { QuestionBar } from "../ui/questionbar";
import { clip, full } from "../ui/text";
import { type PanelLine, PanelLines, type Section } from "./lines";
import { drawLine, type LineAbilities } from "./lineview";
import { RowsByState } from "./rowsbystate";

export interface BodyEvents {
  host: PanelHost;
  /** The job that was opened last, in whichever scan. */
  chosen: { scan: string; job: string };
  /** Something is to be drawn. */
  changed(): void;
  say(text: string): void;
  runnerLog(scan: ScanInfo): void;
}

const WORDS: Partial<Record<Action, string>> = {
  pause: "Pause",
  resume: "Resume",
  stop: "Stop",
};

export class ScanBody {
  readonly element = h("div", { class: "gg-body-part", role: "none" });
  private readonly top = h("div", { role: "treeitem", "aria-level": 2 });
  private readonly details = h("div", { class: "gg-ds" });
  private readonly bar = h("div", { class: "gg-bt", "data-stop": "", role: "group" });
  private readonly buttons = h("span", { class: "gg-acts" });
  private readonly list = h("div", { class: "gg-js", role: "group" });
  private readonly ask = new QuestionBar();
  private readonly popup = new PopupMenu(() => this.items());
  private readonly rows = new RowsByState();
  private readonly parts = new PanelLines(this.rows);
  private readonly toggled = new Set<string>();
  private readonly whole = new Set<Section>();
  private readonly commands: Commands;
  private readonly off: () => void;

  constructor(
    readonly store: ScanStore,
    private readonly events: BodyEvents,
  ) {
    this.commands = new Commands(store, this.ask, events.say);
    this.popup.button.tabIndex = -1;
    const space = h("span", { class: "gg-sp" });
    this.bar.append(open("table"), open("curves"), space, this.buttons, this.popup.element);
    this.top.append(this.details, this.bar, this.ask.element);
    this.element.append(this.top, this.list);
    this.element.addEventListener("click", (event) => this.click(event));
    this.rows.reset(store.rows.values());
    this.off = store.on((change) => this.take(change));
  }

  dispose(): void {
    this.off();
    this.commands.dispose();
  }

  command(action: Action, ids: string[] | null = null): void {
    this.commands.run(action, ids);
  }

  private take(change: StoreChange): void {
    if (change.type === "data" && change.changed) this.rows.put(change.changed);
    else if (change.type === "data") this.rows.reset(this.store.rows.values());
    else if (change.type === "said") {
      this.commands.answered();
      this.events.say(change.text);
    } else if (change.type !== "missing" && change.type !== "link") return;
    this.events.changed();
  }

  draw(scan: ScanInfo): void {
    const command = !this.store.missing;
    const { host, chosen } = this.events;
    const current = chosen.scan === scan.id ? chosen.job : null;
    const can: LineAbilities = { command, notebook: !!host.openNotebook, current };
    drawIfChanged(
      this.details,
      JSON.stringify([scan.notebook, scan.backend, scan.gpu_s, scan.note]),
      () => about(scan),
    );
    this.bar.setAttribute("aria-label", t("Scan %1", clip(scan.name, 60)));
    this.list.setAttribute("aria-label", t("Jobs of %1", clip(scan.name, 60)));
    drawIfChanged(this.buttons, JSON.stringify([scan.state, command]), () =>
      command ? actions(scan) : [],
    );
    const { toggled, whole } = this;
    const parts = this.parts.list(scan, { toggled, whole });
    updateList<PanelLine>(this.list, parts, {
      key: (part) => part.key,
      draw: (part, old) => drawLine(part, can, old),
    });
  }

  private items(): ReturnType<typeof scanMenuItems> {
    const { store, events } = this;
    const { scan } = store;
    if (!scan) return [];
    const runnerLog = (): void => events.runnerLog(scan);
    return scanMenuItems(scan, { host: {}, ...this.commands.menu(), runnerLog, say: events.say });
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

  private retry(key: string | undefined): void {
    const found = this.parts.cause(key ?? "");
    if (found)
      this.command(
        "retry",
        found.rows.map((row) => row.id),
      );
  }
}

function open(what: "table" | "curves"): HTMLElement {
  const words = what === "table" ? t("Table") : t("Curves");
  return button(words, [words], { "data-open": what, tabindex: -1 });
}

function about(scan: ScanInfo): Node[] {
  const notebook = scan.notebook.split("/").pop() ?? scan.notebook;
  const where = t("%1 on %2", clip(notebook, 60), backendName(scan));
  return [
    h("span", { class: "gg-cut", title: full(scan.notebook) }, where),
    h("span", { class: "gg-sp" }),
    h("span", {}, scan.gpu_s > 0 ? gpuHours(scan.gpu_s) : ""),
  ];
}

const actions = (scan: ScanInfo): Node[] =>
  actionsFor(scan).map((action) => {
    const words = t(WORDS[action] ?? action);
    return button(words, [icon(action)], { class: "gg-i", "data-do": action, tabindex: -1 });
  });
