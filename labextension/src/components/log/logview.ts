/** The log of one variant: its end, followed while it grows, or all of it from the start. */
import type { LogText } from "../../wire";
import { preferences } from "../scan/preferences";
import type { ScanStore } from "../scan/store";
import { button, drawIfChanged, h, setAttributes, setText } from "../ui/dom";
import { count, t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { clip } from "../ui/text";
import { LogBuffer } from "./buffer";

/** After so many milliseconds without an answer, a server is asked again. */
const PATIENCE = 10_000;
/** A view that is scrolled to so many pixels before the end follows the log. */
const NEAR_END = 8;
/** The most bytes that one character takes in UTF-8. */
const CHARACTER_BYTES = 4;

/** `12 kB`, `3.4 MB`. */
export function sizeText(bytes: number): string {
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Reads a log piece by piece and shows it. */
export class LogView {
  readonly element = h("section", { class: "gg-logview" });
  private readonly note = h("span", { class: "gg-q" });
  private readonly tools = h("span", { class: "gg-log-tools gg-q" });
  private readonly text = h("pre", { role: "log", "aria-live": "off", tabindex: 0 });
  /** The line that is not finished, or what is said in the place of a log. */
  private readonly last = h("span");
  private buffer = new LogBuffer();
  private from: "start" | "end" = "end";
  /** The bytes of the log that the buffer holds: from `start` to `end` of `size`. */
  private start: number | null = null;
  private end: number | null = null;
  private size = 0;
  /** The attempt whose log is read. */
  private attempt = 0;
  private askedAt: number | null = null;
  private dropped = 0;
  private following = true;
  private wasLive = false;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private readonly off: () => void;

  constructor(
    private readonly store: ScanStore,
    readonly variant: string,
    title: HTMLElement = h("b", {}, t("Log")),
  ) {
    const space = h("span", { class: "gg-sp" });
    const head = h("div", { class: "gg-log-hd" }, title, this.note, space, this.tools);
    setAttributes(this.text, { "aria-label": t("Log of %1", clip(variant, 40)) });
    this.element.append(head, this.text);
    this.text.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.tools.addEventListener("click", (event) => this.click(event));
    this.off = store.on((change) => {
      if (change.type === "link") this.askedAt = null;
      if (!("variant" in change) || change.variant !== this.job()) return;
      if (change.type === "log") this.receive(change);
      if (change.type === "refused" && change.what === "log") this.refused(change.text);
    });
    this.restart("end");
    this.tick();
  }

  dispose(): void {
    this.off();
    if (this.timer !== null) clearTimeout(this.timer);
  }

  /** Reads what has been written since, as long as that may be something. */
  private tick(): void {
    const live = this.live();
    // A job that has just ended may have written its last lines after the last reading.
    if ((live || this.wasLive || this.end === null) && this.visible()) {
      this.wasLive = live;
      this.ask();
    }
    this.timer = setTimeout(() => this.tick(), Math.max(0.2, preferences.refresh_s) * 1000);
  }

  /** The job that is read. It names the attempt, so that logs of two attempts are never mixed. */
  private job(): string {
    return `${this.variant}.${this.attempt}`;
  }

  private live(): boolean {
    return this.store.rows.get(this.variant)?.state === "running";
  }

  private visible(): boolean {
    if (!this.element.isConnected || document.hidden) return false;
    // Older browsers have no checkVisibility(): there a hidden log is read as well.
    return this.element.checkVisibility?.() ?? true;
  }

  private ask(): void {
    const newest = this.store.rows.get(this.variant)?.attempts ?? 0;
    if (!newest) return;
    if (newest !== this.attempt) {
      const first = this.attempt === 0;
      this.attempt = newest;
      // A new attempt writes a new log.
      if (!first) return this.restart("end");
    }
    if (!this.mayAsk()) return;
    this.askedAt = performance.now();
    const start = this.end === null ? {} : { start: this.end };
    this.store.send({ type: "log", variant: this.job(), ...start });
  }

  private mayAsk(): boolean {
    const { store, askedAt } = this;
    if (store.closed || store.missing) return false;
    if (this.from === "start" && this.buffer.full) return false;
    if (askedAt === null) return true;
    // A kernel answers when its cell ends, however late: more questions would only pile up.
    return store.peer !== "kernel" && performance.now() - askedAt >= PATIENCE;
  }

  private restart(from: "start" | "end"): void {
    this.from = from;
    this.buffer = new LogBuffer();
    this.dropped = 0;
    this.start = from === "start" ? 0 : null;
    this.end = this.start;
    this.askedAt = null;
    this.following = from === "end";
    this.text.replaceChildren(this.last);
    const waits = from === "end" && this.store.peer === "kernel";
    setText(this.last, waits ? t("Asked for the log; it comes when the running cell ends.") : "");
    this.draw();
    this.ask();
  }

  /** Adds a part of the log, if it is the part that comes next. */
  private receive(part: LogText): void {
    // A log that became shorter is a new one: the backend began the attempt anew.
    if (part.size < (this.end ?? 0)) return this.restart("end");
    if (!this.isNext(part) || (this.from === "start" && this.buffer.full)) return;
    this.askedAt = null;
    this.start ??= part.start;
    this.end = part.end;
    this.size = part.size;
    this.buffer.add(part.text);
    if (this.from === "end") this.buffer.trim();
    this.show();
    if (part.end < part.size && part.end > part.start) this.ask();
  }

  /** Another view of the same variant may have asked for another part, which comes here too. */
  private isNext(part: LogText): boolean {
    if (this.end !== null) return part.start === this.end;
    // The end of a part may be before the end of the log, where its last character is not whole.
    return part.size - part.end < CHARACTER_BYTES;
  }

  private refused(text: string): void {
    if (this.end === null) setText(this.last, clip(text, 300));
  }

  private show(): void {
    const { buffer, text, last } = this;
    for (; this.dropped < buffer.dropped; this.dropped += 1) text.firstElementChild?.remove();
    const drawn = text.childElementCount - 1;
    for (const block of buffer.blocks.slice(drawn)) last.before(h("span", {}, block.text));
    setText(last, buffer.count === 0 ? t("Nothing was written yet.") : buffer.tail);
    this.draw();
    if (this.following) text.scrollTop = text.scrollHeight;
  }

  private scrolled(): void {
    const { scrollTop, clientHeight, scrollHeight } = this.text;
    const following = scrollTop + clientHeight >= scrollHeight - NEAR_END;
    if (following === this.following) return;
    this.following = following;
    this.draw();
  }

  private beginsAtStart(): boolean {
    return this.start === 0 && this.dropped === 0;
  }

  /** `312 lines`, or `last 312 lines of 4.5 MB`. */
  private noteText(): string {
    if (this.end === null) return "";
    const { count: number } = this.buffer;
    const lines = number.toLocaleString("en");
    const begins = this.beginsAtStart();
    if (begins && this.end >= this.size) {
      return number ? count(number, "%1 line", "%2 lines", lines) : "";
    }
    const text = begins ? "first %1 lines of %2" : "last %1 lines of %2";
    return t(text, lines, sizeText(this.size));
  }

  private draw(): void {
    setText(this.note, this.noteText());
    const begins = this.beginsAtStart();
    // Read from its start, a log may be longer than the page keeps; then its end is missing.
    const cut = begins && this.from === "start" && this.end !== null && this.end < this.size;
    const state = [this.live() && !cut, this.following, begins, cut, this.end !== null];
    drawIfChanged(this.tools, JSON.stringify(state), () => this.choices(cut, begins));
  }

  private choices(cut: boolean, begins: boolean): Node[] {
    const link = (act: string, text: string): HTMLElement =>
      button(text, [text], { class: "gg-l", "data-act": act });
    const choices: Node[] = [];
    if (this.live() && !cut && this.following)
      choices.push(h("span", {}, icon("running"), t("following")));
    if (!this.following && !cut) choices.push(link("follow", t("to the end")));
    if (cut) choices.push(link("end", t("to the end")));
    if (!begins && this.end !== null) choices.push(link("start", t("open all")));
    return choices;
  }

  private click(event: Event): void {
    const act = (event.target as Element).closest<HTMLElement>("[data-act]")?.dataset["act"];
    if (act === "start" || act === "end") return this.restart(act);
    if (act !== "follow") return;
    this.following = true;
    this.text.scrollTop = this.text.scrollHeight;
    this.draw();
  }
}
