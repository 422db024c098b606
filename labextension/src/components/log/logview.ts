/** The log of one variant: its end, followed while it grows, or from its start on. */
import type { LogText } from "../../wire";
import { preferences } from "../scan/preferences";
import type { ScanStore } from "../scan/store";
import { button, drawIfChanged, h, setText } from "../ui/dom";
import { count, t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { clip } from "../ui/text";
import { LogBuffer } from "./buffer";

/** After so long without an answer it is asked again. */
const PATIENCE = 10_000;
const NEAR_END = 8;
/** Most bytes of one. */
const CHARACTER = 4;

export function sizeText(bytes: number): string {
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

export class LogView {
  readonly element = h("section", { class: "gg-logview" });
  private readonly note = h("span", { class: "gg-q" });
  private readonly tools = h("span", { class: "gg-log-tools gg-q" });
  private readonly text = h("pre", { role: "log", "aria-live": "off", tabindex: 0 });
  private readonly last = h("span");
  private buffer = new LogBuffer();
  private from: "start" | "end" = "end";
  private start: number | null = null;
  private end: number | null = null;
  private attempts = 0;
  private size = 0;
  private asked: number | null = null;
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
    this.text.setAttribute("aria-label", t("Log of %1", clip(variant, 40)));
    this.element.append(head, this.text);
    this.text.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.tools.addEventListener("click", (event) => this.click(event));
    this.off = store.on((change) => {
      if (change.type === "log" && change.variant === this.key()) this.take(change);
      if (change.type === "refused" && change.what === "log" && change.variant === this.key())
        this.refused(change.text);
      if (change.type === "link") this.asked = null;
    });
    this.restart("end");
    this.tick();
  }

  dispose(): void {
    this.off();
    if (this.timer !== null) clearTimeout(this.timer);
  }

  /** Reads again what has been written since. */
  private tick(): void {
    const live = this.live();
    if ((live || this.wasLive || this.end === null) && this.visible()) {
      this.wasLive = live;
      this.ask();
    }
    this.timer = setTimeout(() => this.tick(), Math.max(0.2, preferences.refresh_s) * 1000);
  }

  /** The attempt that is read: what an earlier one wrote is not mixed in. */
  private key(): string {
    return `${this.variant}.${this.attempts}`;
  }

  private live(): boolean {
    return this.store.rows.get(this.variant)?.state === "running";
  }

  private visible(): boolean {
    if (!this.element.isConnected || document.hidden) return false;
    return this.element.checkVisibility?.() ?? true;
  }

  private ask(): void {
    const { store, variant, end } = this;
    const attempts = store.rows.get(variant)?.attempts ?? 0;
    if (!attempts) return;
    if (attempts !== this.attempts) {
      const first = this.attempts === 0;
      this.attempts = attempts;
      if (!first) return this.restart("end"); // a new attempt writes a new log
    }
    const waiting = this.asked !== null && (store.peer === "kernel" || this.recently(this.asked));
    if (waiting || store.closed || store.missing || (this.from === "start" && this.buffer.full))
      return;
    this.asked = performance.now();
    store.send({ type: "log", variant: this.key(), ...(end === null ? {} : { start: end }) });
  }

  private recently(then: number): boolean {
    return performance.now() - then < PATIENCE;
  }

  private restart(from: "start" | "end"): void {
    this.from = from;
    this.buffer = new LogBuffer();
    this.dropped = 0;
    this.start = this.end = from === "start" ? 0 : null;
    this.asked = null;
    this.following = from === "end";
    this.text.replaceChildren(this.last);
    const waits = from === "end" && this.store.peer === "kernel";
    setText(this.last, waits ? t("Asked for the log; it comes when the running cell ends.") : "");
    this.draw();
    this.ask();
  }

  /** Another view of the same variant may have asked for another part. */
  private take(part: LogText): void {
    if (part.size < (this.end ?? 0)) return this.restart("end"); // the engine began the attempt anew
    const atEnd = part.size - part.end < CHARACTER; // the last character may not be whole
    const wanted = this.end === null ? atEnd : part.start === this.end;
    if (!wanted || (this.from === "start" && this.buffer.full)) return;
    this.asked = null;
    this.start ??= part.start;
    this.end = part.end;
    this.size = part.size;
    this.buffer.add(part.text);
    if (this.from === "end") this.buffer.trim();
    this.show();
    if (part.end < part.size && part.end > part.start) this.ask();
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

  private words(): string {
    if (this.end === null) return "";
    const lines = this.buffer.count.toLocaleString("en");
    const begins = this.start === 0 && this.dropped === 0;
    const whole = begins && this.end >= this.size;
    if (whole)
      return this.buffer.count ? count(this.buffer.count, "%1 line", "%2 lines", lines) : "";
    const [words, size] = [
      begins ? "first %1 lines of %2" : "last %1 lines of %2",
      sizeText(this.size),
    ];
    return t(words, lines, size);
  }

  private draw(): void {
    setText(this.note, this.words());
    const begins = this.start === 0 && this.dropped === 0;
    const cut = begins && this.from === "start" && this.end !== null && this.end < this.size;
    const state = [this.live() && !cut, this.following, begins, cut, this.end !== null];
    drawIfChanged(this.tools, JSON.stringify(state), () => this.choices(cut, begins));
  }

  private choices(cut: boolean, begins: boolean): Node[] {
    const link = (act: string, words: string): HTMLElement =>
      button(words, [words], { class: "gg-l", "data-act": act });
    const follows = this.live() && !cut && this.following;
    return [
      ...(follows ? [h("span", {}, icon("running"), t("following"))] : []),
      ...(!this.following && !cut ? [link("follow", t("to the end"))] : []),
      ...(cut ? [link("end", t("to the end"))] : []),
      ...(!begins && this.end !== null ? [link("start", t("open all"))] : []),
    ];
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
