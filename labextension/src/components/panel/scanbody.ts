/** What an opened scan shows in the panel: where it runs, what can be done, and its jobs in short. */
import type { Action, ScanInfo } from "../../wire";
import { Ask } from "../ui/question";
import { Commands } from "../scan/commands";
import { button, h, near, once } from "../ui/dom";
import { clip, full, gpuHours } from "../ui/format";
import { ByState } from "./rowsbystate";
import { engineName, scanActions } from "../table/header";
import type { PanelHost } from "../scan/host";
import { icon } from "../ui/icons";
import { t } from "../ui/i18n";
import { keyed } from "../ui/keyedlist";
import { type Can, drawPart } from "./lineview";
import { type Part, Parts, type Section } from "./lines";
import { Popup } from "../ui/popup";
import { scanItems } from "../scan/scanmenu";
import type { Change, Store } from "../scan/store";

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
  private readonly ask = new Ask();
  private readonly popup = new Popup(() => this.items());
  private readonly rows = new ByState();
  private readonly parts = new Parts(this.rows);
  private readonly toggled = new Set<string>();
  private readonly whole = new Set<Section>();
  private readonly commands: Commands;
  private readonly off: () => void;

  constructor(
    readonly store: Store,
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

  private take(change: Change): void {
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
    const can: Can = { command, notebook: !!host.openNotebook, current };
    once(this.details, JSON.stringify([scan.notebook, scan.backend, scan.gpu_s, scan.note]), () =>
      about(scan),
    );
    this.bar.setAttribute("aria-label", t("Scan %1", clip(scan.name, 60)));
    this.list.setAttribute("aria-label", t("Jobs of %1", clip(scan.name, 60)));
    once(this.buttons, JSON.stringify([scan.state, command]), () => (command ? actions(scan) : []));
    const { toggled, whole } = this;
    const parts = this.parts.list(scan, { toggled, whole });
    keyed<Part>(this.list, parts, {
      key: (part) => part.key,
      draw: (part, old) => drawPart(part, can, old),
    });
  }

  private items(): ReturnType<typeof scanItems> {
    const { store, events } = this;
    const { scan } = store;
    if (!scan) return [];
    const runnerLog = (): void => events.runnerLog(scan);
    return scanItems(scan, { host: {}, ...this.commands.menu(), runnerLog, say: events.say });
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
  const where = t("%1 on %2", clip(notebook, 60), engineName(scan));
  return [
    h("span", { class: "gg-cut", title: full(scan.notebook) }, where),
    h("span", { class: "gg-sp" }),
    h("span", {}, scan.gpu_s > 0 ? gpuHours(scan.gpu_s) : ""),
  ];
}

const actions = (scan: ScanInfo): Node[] =>
  scanActions(scan).map((action) => {
    const words = t(WORDS[action] ?? action);
    return button(words, [icon(action)], { class: "gg-i", "data-do": action, tabindex: -1 });
  });
