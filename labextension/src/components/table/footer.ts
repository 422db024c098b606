/** The foot: totals, failures by reason, a note, what was said, and how fresh it all is. */
import { type ScanInfo, STATES } from "../../wire";
import type { Cause } from "../scan/causes";
import { type Failures, MISSING_SCAN, retrySentence } from "../scan/sentences";
import { button, drawIfChanged, h, setText } from "../ui/dom";
import { icon } from "../ui/icons";
import { clip, full, plural } from "../ui/text";
import { clock, duration, freshness } from "../ui/times";
import { CauseList } from "./causelist";

export interface FooterEvents {
  retry(ids: string[]): void;
  goTo(id: string): void;
}

export interface Told {
  found: Failures;
  /** Worked out only while the list of causes is open. */
  causes(): Cause[];
  /** Not on this server: nobody is there to command. */
  missing: boolean;
}

export interface Freshness {
  received: number;
  now: number;
  /** The sender's clock now, by which the times in its rows are. */
  sent: number;
  closed: boolean;
  ended: boolean;
  retryAt: number | null;
}

function total(scan: ScanInfo): number {
  return Math.max(
    scan.total ?? 0,
    STATES.reduce((sum, state) => sum + (scan.counts[state] ?? 0), 0),
  );
}

function summary(scan: ScanInfo, { found, missing }: Told, open: boolean): Node[] {
  const { failed, lost, summary: words, ids } = found;
  const plain = [
    plural(total(scan), "variant"),
    scan.counts.done ? `${scan.counts.done} done` : "",
  ];
  const bad = [failed ? `${failed} failed: ${words}` : "", lost ? `${lost} lost` : ""];
  const list = bad.filter(Boolean).join(" · ");
  const dot = (): Node => h("i", {}, "·");
  const nodes: (Node | string)[] = plain
    .filter(Boolean)
    .flatMap((text, i) => (i ? [dot(), text] : [text]));
  if (list) {
    const wanted = { type: "button", class: "gg-l gg-plain", title: "Failures by cause" };
    const hooks = { "data-do": "causes", "aria-expanded": String(open) };
    const chevron = icon(open ? "open" : "closed");
    nodes.push(dot(), h("button", { ...wanted, ...hooks }, chevron, list));
  }
  const again = { class: "gg-l", "data-do": "retry" };
  if (ids.length && !missing)
    nodes.push(h("i", {}, "→"), button("retry these: all that failed", ["retry these"], again));
  return [h("span", {}, ...nodes)];
}

/** How metrics come and how old the newest is; nothing where they are read as they are written. */
export function metricsSentence({ channel, reported, ended }: ScanInfo, now: number): string {
  if (ended !== null || !["push", "drop", "end"].includes(channel)) return "";
  if (channel === "end") return "metrics arrive when a job ends";
  if (typeof reported !== "number") return `metrics come by ${channel}, none so far`;
  return `metrics come by ${channel}, ${duration(now - reported)} old`;
}

/** Asking for the zone is slow the first time, so only when somebody points there. */
function exactly(unix: number): string {
  return `${clock(unix)}, ${Intl.DateTimeFormat().resolvedOptions().timeZone}`;
}

export class Footer {
  readonly element = h("div", { class: "gg-foot" });
  private readonly note = h("div", { class: "gg-note" });
  private readonly said = h("div", { class: "gg-said gg-q" });
  private readonly summary = h("div", { class: "gg-sum" });
  private readonly way = h("span", { class: "gg-q gg-way" });
  private readonly fresh = h("span", { class: "gg-q gg-fresh" });
  private readonly list: CauseList;
  private ids: string[] = [];
  private received = 0;
  private told: { scan: ScanInfo; told: Told } | null = null;

  constructor(private readonly events: FooterEvents) {
    this.list = new CauseList(events);
    const line = h(
      "div",
      { class: "gg-ft" },
      this.summary,
      h("span", { class: "gg-sp" }),
      this.way,
      this.fresh,
    );
    this.element.append(this.note, this.said, this.list.element, line);
    this.summary.addEventListener("click", (event) => this.click(event));
    this.fresh.addEventListener("pointerenter", () => (this.fresh.title = exactly(this.received)));
    this.say("");
  }

  update(scan: ScanInfo, told: Told): void {
    const { found, missing } = told;
    this.told = { scan, told };
    this.ids = found.ids;
    const list = this.list.element;
    if (found.ids.length === 0) list.hidden = true;
    const parts = [total(scan), scan.counts, found.summary, found.lost, missing, list.hidden];
    drawIfChanged(this.summary, JSON.stringify(parts), () => summary(scan, told, !list.hidden));
    if (!list.hidden) this.list.update(told.causes(), !missing);
    const notes = [missing ? MISSING_SCAN : "", scan.note ?? ""].filter(Boolean);
    const note = notes.join(" ");
    drawIfChanged(this.note, note, () =>
      note ? [icon("lost"), h("span", { title: full(note) }, clip(note, 300))] : [],
    );
    this.note.hidden = note === "";
  }

  private click(event: Event): void {
    const act = (event.target as Element).closest<HTMLElement>("button")?.dataset["do"];
    if (act === "retry") this.events.retry(this.ids);
    if (act !== "causes" || !this.told) return;
    this.list.element.hidden = !this.list.element.hidden;
    this.update(this.told.scan, this.told.told);
    this.summary.querySelector<HTMLElement>("[data-do=causes]")?.focus();
  }

  say(text: string): void {
    setText(this.said, clip(text, 400));
    this.said.hidden = text === "";
  }

  tick({ received, now, sent, closed, ended, retryAt }: Freshness): void {
    const words = ended && !closed ? "" : freshness(received, now, closed);
    const again = retrySentence(retryAt, now);
    setText(this.way, this.told && !closed ? metricsSentence(this.told.scan, sent) : "");
    setText(this.fresh, closed ? `${words}, not connected${again && `. ${again}`}` : words);
    this.received = received;
  }
}
