/** The side panel: all scans, what goes on first; an opened one shows its jobs in short. */
import type { ScanInfo } from "../../wire";
import type { PanelHost } from "../scan/host";
import { button, drawIfChanged, h, setText } from "../ui/dom";
import { t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { updateList } from "../ui/keyedlist";
import { keepKeys } from "../ui/keys";
import { type MenuItem, PopupMenu } from "../ui/popup";
import { DrawTimer } from "../ui/drawtimer";
import { clip } from "../ui/text";
import { Banners, type Lost } from "./banners";
import { emptyPanel } from "./emptypanel";
import { QueueList } from "./queuelist";
import { RunnerLog } from "./runnerlog";
import type { BodyEvents } from "./scanbody";
import { ScanItem } from "./scanitem";
import { hasEnded, inOrder } from "./scantimes";
import type { ScanSource } from "./source";
import { TreeKeys } from "./treekeys";

const wall = (): number => Date.now() / 1000;

export class Panel {
  readonly element = h("section", {
    class: "gridgpu gridgpu-panel",
    "aria-label": t("Scans"),
  });
  private readonly tree = h("div", { class: "gg-tree", role: "tree", "aria-label": t("Scans") });
  private readonly active = h("div", { role: "group", "aria-label": t("Going on") });
  private readonly ended = h("div", { role: "group", "aria-label": t("Ended") });
  private readonly endedTitle = h(
    "div",
    { class: "gg-ended gg-q", "aria-hidden": "true" },
    t("Ended"),
  );
  private readonly input = h("input", { type: "text", spellcheck: "false", autocomplete: "off" });
  private readonly box = h("label", { class: "gg-fi" }, icon("find"), this.input);
  private readonly none = h("div", { class: "gg-nothing" });
  private readonly said = h("div", { class: "gg-panel-said gg-q", role: "status" });
  private readonly popup = new PopupMenu(() => this.choices());
  private readonly banners: Banners;
  private readonly runner: RunnerLog;
  private readonly queues: QueueList;
  private readonly keys: TreeKeys;
  private readonly items = new Map<string, ScanItem>();
  private readonly frame = new DrawTimer(() => this.draw());
  private readonly undo: (() => void)[] = [];
  private readonly chosen = { scan: "", job: "" };
  private retryAt: number | null = null;
  private hidesEnded = false;

  constructor(
    private readonly source: ScanSource,
    private readonly host: PanelHost,
  ) {
    this.runner = new RunnerLog((id) => source.runnerLog(id));
    this.queues = new QueueList(() => source.queues());
    this.banners = new Banners({
      tryNow: () => source.tryNow(),
      resume: (id) => this.items.get(id)?.command("resume"),
      runnerLog: (id) => this.runnerLog(source.scans.get(id)),
    });
    const clear = (): void => this.showFilter(false);
    this.keys = new TreeKeys(this.tree, { search: () => this.showFilter(true), clear });
    keepKeys(this.element);
    this.assemble();
    this.listen();
    this.noteRetry();
    this.draw();
  }

  dispose(): void {
    for (const undo of this.undo.splice(0)) undo();
    this.frame.cancel();
    this.queues.dispose();
    for (const item of this.items.values()) item.dispose();
    this.items.clear();
    this.element.remove();
  }

  focus(): void {
    if (this.source.scans.size) this.keys.focus();
    else this.element.querySelector<HTMLElement>("button")?.focus();
  }

  /** Draws what has come since the last frame. */
  flush(): void {
    this.frame.flush();
  }

  private assemble(): void {
    const scan = button(t("Scan a notebook…"), [icon("plus")], { class: "gg-i" });
    const find = button(t("Filter the scans"), [icon("find")], { class: "gg-i" });
    const title = h("b", {}, t("Scans"));
    const tools = [scan, find, this.popup.element];
    const top = h("div", { class: "gg-top" }, title, h("span", { class: "gg-sp" }), ...tools);
    scan.addEventListener("click", () => this.host.scanNotebook());
    find.addEventListener("click", () => this.showFilter(!!this.box.hidden));
    this.input.setAttribute("aria-label", t("Filter the scans"));
    this.input.placeholder = t("filter");
    this.box.hidden = true;
    this.tree.append(this.active, this.endedTitle, this.ended);
    this.none.addEventListener("click", (event) => {
      if ((event.target as Element).closest("button")) this.host.scanNotebook();
    });
    const scroll = h("div", { class: "gg-scroll" }, this.banners.element, this.tree, this.none);
    this.element.append(top, this.box, scroll, this.said, this.runner.element, this.queues.element);
    this.say("");
  }

  private listen(): void {
    const timer = setInterval(() => this.tick(), 1000);
    const off = this.source.on(() => {
      this.noteRetry();
      this.frame.request();
    });
    this.undo.push(off, () => clearInterval(timer));
    this.input.addEventListener("input", () => this.frame.request());
    this.input.addEventListener("keydown", (event) => this.filterKey(event));
  }

  private noteRetry(): void {
    const { retry_s } = this.source;
    this.retryAt = retry_s === undefined ? null : wall() + retry_s;
  }

  private say(text: string): void {
    if (text && this.host.say) return this.host.say(text);
    setText(this.said, clip(text, 400));
    this.said.hidden = text === "";
  }

  private runnerLog(scan: ScanInfo | undefined): void {
    if (scan) void this.runner.open(scan);
  }

  private choices(): MenuItem[] {
    const words = this.hidesEnded ? t("Show ended scans") : t("Hide ended scans");
    const toggle = (): void => {
      this.hidesEnded = !this.hidesEnded;
      this.draw();
    };
    const fold = (): void => {
      for (const item of this.items.values()) if (item.isOpen) item.toggle(false);
    };
    return [
      { text: t("Close all"), act: fold },
      { text: words, act: toggle },
    ];
  }

  private showFilter(on: boolean): void {
    this.box.hidden = !on;
    if (on) return this.input.focus();
    this.input.value = "";
    this.frame.request();
  }

  private filterKey(event: KeyboardEvent): void {
    event.stopPropagation();
    if (event.key === "Escape") this.showFilter(false);
    else if (event.key !== "ArrowDown" && event.key !== "Enter") return;
    event.preventDefault();
    this.frame.flush();
    this.keys.focus();
  }

  private lost(): Lost | null {
    const { closed, received } = this.source;
    if (!closed || (received === 0 && this.retryAt === null)) return null; // it has not begun yet
    return { received, retryAt: this.retryAt, now: wall() };
  }

  /** Times go on by themselves. */
  private tick(): void {
    const lost = this.lost();
    if (lost) this.banners.tick(lost);
    else this.frame.request();
  }

  private matching(): ScanInfo[] {
    const words = this.input.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const all = [...this.source.scans.values()];
    const text = ({ name, notebook, state, backend, id }: ScanInfo): string =>
      [name, notebook, state, backend, id].join("\n").toLowerCase();
    return all.filter((scan) => words.every((word) => text(scan).includes(word)));
  }

  private draw(): void {
    const { source } = this;
    const lost = this.lost();
    const { active, ended } = inOrder(this.matching());
    const shown = this.hidesEnded ? [] : ended;
    this.forgetGone();
    this.element.classList.toggle("gg-stale", lost !== null);
    this.banners.update(inOrder(source.scans.values()).active, lost);
    this.list(this.active, active, lost);
    this.list(this.ended, shown, lost);
    this.endedTitle.hidden = shown.length === 0 || active.length === 0;
    this.tree.hidden = active.length + shown.length === 0;
    this.drawNone(active.length + ended.length);
    this.keys.settle();
  }

  private forgetGone(): void {
    for (const [id, item] of this.items) {
      if (this.source.scans.has(id)) continue;
      item.dispose();
      this.items.delete(id);
    }
  }

  private list(group: HTMLElement, scans: readonly ScanInfo[], lost: Lost | null): void {
    group.hidden = scans.length === 0;
    const asOf = lost ? lost.received : null;
    updateList(group, scans, {
      key: ({ id }) => id,
      draw: (scan) => {
        const item = this.item(scan);
        item.draw(scan, wall(), hasEnded(scan) ? null : asOf);
        return item.element;
      },
    });
  }

  private item(scan: ScanInfo): ScanItem {
    const known = this.items.get(scan.id);
    if (known) return known;
    const events: BodyEvents = {
      ...{ host: this.host, chosen: this.chosen },
      changed: () => this.frame.request(),
      say: (text) => this.say(text),
      runnerLog: (one) => this.runnerLog(one),
    };
    const made = new ScanItem(scan, this.source, events);
    this.items.set(scan.id, made);
    return made;
  }

  private drawNone(matching: number): void {
    const { scans, received } = this.source;
    const what = scans.size ? (matching ? "" : "no match") : received > 0 ? "nothing" : "waits";
    this.none.hidden = what === "" || (what === "waits" && this.lost() !== null);
    drawIfChanged(this.none, what, () => {
      if (what === "nothing") return emptyPanel();
      const words =
        what === "waits" ? t("Waits for the server.") : t("No scan matches the filter.");
      return [h("p", { class: "gg-q" }, what ? words : "")];
    });
  }
}
