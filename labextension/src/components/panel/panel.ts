/** The side panel: all scans, those that go on first. An open scan shows its jobs. */
import type { ScanInfo } from "../../wire";
import type { PanelHost } from "../scan/host";
import { button, drawIfChanged, h, setAttributes, setText } from "../ui/dom";
import { t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { restoreFocus, updateList } from "../ui/keyedlist";
import { keepKeys } from "../ui/keys";
import { type MenuItem, PopupMenu } from "../ui/popup";
import { DrawTimer } from "../ui/drawtimer";
import { clip } from "../ui/text";
import { Banners, type LostConnection } from "./banners";
import { emptyPanel } from "./emptypanel";
import { QueueList } from "./queuelist";
import { RunnerLog } from "./runnerlog";
import type { BodyEvents } from "./scanbody";
import { ScanItem } from "./scanitem";
import { hasEnded, inOrder } from "./scantimes";
import type { ScanSource } from "./source";
import { TreeKeys } from "./treekeys";

/** The time by the clock of this machine, in Unix seconds. */
const wall = (): number => Date.now() / 1000;

/** The panel: banners, the tree of scans, and at its foot a runner log and the queues. */
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
  private readonly filterBox = h("label", { class: "gg-fi" }, icon("find"), this.input);
  private readonly none = h("div", { class: "gg-nothing" });
  private readonly said = h("div", { class: "gg-panel-said gg-q", role: "status" });
  private readonly popup = new PopupMenu(() => this.menuItems());
  private readonly banners: Banners;
  private readonly runner: RunnerLog;
  private readonly queues: QueueList;
  private readonly keys: TreeKeys;
  private readonly items = new Map<string, ScanItem>();
  private readonly drawTimer = new DrawTimer(() => this.draw());
  /** Functions that undo what the panel began. */
  private readonly undo: (() => void)[] = [];
  /** The job that was opened last. */
  private readonly chosen = { scan: "", job: "" };
  /** When the connection is tried again, in Unix seconds by the clock of this machine. */
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
    this.drawTimer.cancel();
    this.queues.dispose();
    for (const item of this.items.values()) item.dispose();
    this.items.clear();
    this.element.remove();
  }

  /** Focuses the tree, or the button that opens the form where there is no scan. */
  focus(): void {
    if (this.source.scans.size) this.keys.focus();
    else this.element.querySelector<HTMLElement>("button")?.focus();
  }

  /** Draws now what has come since the last drawing. */
  flush(): void {
    this.drawTimer.flush();
  }

  private assemble(): void {
    const scan = button(t("Scan a notebook…"), [icon("plus")], { class: "gg-i" });
    const find = button(t("Filter the scans"), [icon("find")], { class: "gg-i" });
    const title = h("b", {}, t("Scans"));
    const tools = [scan, find, this.popup.element];
    const top = h("div", { class: "gg-top" }, title, h("span", { class: "gg-sp" }), ...tools);
    scan.addEventListener("click", () => this.host.scanNotebook());
    find.addEventListener("click", () => this.showFilter(!!this.filterBox.hidden));
    const look = { "aria-label": t("Filter the scans"), placeholder: t("filter") };
    setAttributes(this.input, look);
    this.filterBox.hidden = true;
    this.tree.append(this.active, this.endedTitle, this.ended);
    this.none.addEventListener("click", (event) => {
      if ((event.target as Element).closest("button")) this.host.scanNotebook();
    });
    const scroll = h("div", { class: "gg-scroll" }, this.banners.element, this.tree, this.none);
    this.element.append(
      top,
      this.filterBox,
      scroll,
      this.said,
      this.runner.element,
      this.queues.element,
    );
    this.say("");
  }

  private listen(): void {
    const timer = setInterval(() => this.tick(), 1000);
    const off = this.source.on(() => {
      this.noteRetry();
      this.drawTimer.request();
    });
    this.undo.push(off, () => clearInterval(timer));
    this.input.addEventListener("input", () => this.drawTimer.request());
    this.input.addEventListener("keydown", (event) => this.filterKey(event));
  }

  /** Turns the seconds until the next try into a time, since they count from now. */
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

  private menuItems(): MenuItem[] {
    const text = this.hidesEnded ? t("Show ended scans") : t("Hide ended scans");
    const toggleEnded = (): void => {
      this.hidesEnded = !this.hidesEnded;
      this.draw();
    };
    const closeAll = (): void => {
      for (const item of this.items.values()) if (item.isOpen) item.toggle(false);
    };
    return [
      { text: t("Close all"), act: closeAll },
      { text, act: toggleEnded },
    ];
  }

  private showFilter(on: boolean): void {
    this.filterBox.hidden = !on;
    if (on) return this.input.focus();
    this.input.value = "";
    this.drawTimer.request();
  }

  private filterKey(event: KeyboardEvent): void {
    event.stopPropagation();
    if (event.key === "Escape") this.showFilter(false);
    else if (event.key !== "ArrowDown" && event.key !== "Enter") return;
    event.preventDefault();
    this.drawTimer.flush();
    this.keys.focus();
  }

  private lost(): LostConnection | null {
    const { closed, received, refused = false } = this.source;
    if (!closed) return null;
    // The page has just been opened, and its first connection is on the way.
    if (received === 0 && this.retryAt === null && !refused) return null;
    return { received, retryAt: this.retryAt, now: wall(), refused };
  }

  /** Draws once a second what counts the time. */
  private tick(): void {
    const lost = this.lost();
    if (lost) this.banners.tick(lost);
    else this.drawTimer.request();
  }

  /** The scans that fit the filter: each of its words is found in one of their texts. */
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
    // A scan whose folder was removed must not keep its store open.
    this.forgetGone();
    this.element.classList.toggle("gg-stale", lost !== null);
    this.banners.update(inOrder(source.scans.values()).active, lost, source.elsewhere);
    this.banners.leaveOut(source.leftOut ?? []);
    const focused = document.activeElement;
    this.list(this.active, active, lost);
    this.list(this.ended, shown, lost);
    // A scan that has ended moves from one list to the other, which neither of them can see.
    restoreFocus(this.tree, focused);
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

  private list(group: HTMLElement, scans: readonly ScanInfo[], lost: LostConnection | null): void {
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
      changed: () => this.drawTimer.request(),
      say: (text) => this.say(text),
      runnerLog: (one) => this.runnerLog(one),
    };
    const made = new ScanItem(scan, this.source, events);
    this.items.set(scan.id, made);
    return made;
  }

  /** Draws what stands in the place of the tree when no scan is shown. */
  private drawNone(matching: number): void {
    const why = this.whyEmpty(matching);
    // While the server is lost, the banner says more.
    this.none.hidden = why === "" || (why === "waits" && this.lost() !== null);
    drawIfChanged(this.none, why, () => {
      if (why === "") return [h("p", { class: "gg-q" }, "")];
      if (why === "nothing") return emptyPanel();
      const waits = why === "waits";
      const text = waits ? t("Waits for the server.") : t("No scan matches the filter.");
      return [h("p", { class: "gg-q" }, text)];
    });
  }

  private whyEmpty(matching: number): "" | "no match" | "nothing" | "waits" {
    const { scans, received } = this.source;
    if (scans.size > 0) return matching > 0 ? "" : "no match";
    return received > 0 ? "nothing" : "waits";
  }
}
