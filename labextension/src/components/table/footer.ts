/** The foot of the table: totals, failures by cause, notes, and how fresh everything is. */
import { type ScanInfo, STATES } from "../../wire";
import type { Cause } from "../scan/causes";
import { type Failures, MISSING_SCAN, RELOAD, retrySentence } from "../scan/sentences";
import { button, drawIfChanged, h, setAttributes, setText } from "../ui/dom";
import { icon } from "../ui/icons";
import { clip, full, plural } from "../ui/text";
import { clock, duration, freshness } from "../ui/times";
import { CauseList } from "./causelist";

/** What a user does in the foot; the table answers. */
export interface FooterEvents {
  /** Runs variants again. */
  retry(ids: string[]): void;
  /** Goes to the row of a variant. */
  goTo(id: string): void;
}

/** What the foot shows besides the scan. */
export interface FooterData {
  found: Failures;
  /** The causes of the failures. They are worked out only while the list of causes is open. */
  causes(): Cause[];
  /** The scan is not on this server, so that nobody takes commands. */
  missing: boolean;
}

/** How fresh the table is. Times are Unix seconds. */
export interface Freshness {
  /** When the last rows came, and the time now, by the clock of this machine. */
  received: number;
  now: number;
  /** The time now by the clock of the sender, whose times are in the rows. */
  senderNow: number;
  closed: boolean;
  ended: boolean;
  retryAt: number | null;
  refused: boolean;
}

/** Channels on which metrics come later than they are written. */
const SLOW_CHANNELS = ["push", "drop", "end"];

function totalOf(scan: ScanInfo): number {
  const known = STATES.reduce((sum, state) => sum + (scan.counts[state] ?? 0), 0);
  return Math.max(scan.total ?? 0, known);
}

function causesButton({ failed, lost, summary }: Failures, open: boolean): HTMLElement {
  const failedText = failed ? `${failed} failed: ${summary}` : "";
  const text = [failedText, lost ? `${lost} lost` : ""].filter(Boolean).join(" · ");
  const wanted = { type: "button", class: "gg-l gg-plain", title: "Failures by cause" };
  const hooks = { "data-do": "causes", "aria-expanded": String(open) };
  return h("button", { ...wanted, ...hooks }, icon(open ? "open" : "closed"), text);
}

function drawSummary(scan: ScanInfo, { found, missing }: FooterData, open: boolean): Node[] {
  const dot = (): Node => h("i", {}, "·");
  const nodes: (Node | string)[] = [plural(totalOf(scan), "variant")];
  if (scan.counts.done) nodes.push(dot(), `${scan.counts.done} done`);
  if (found.failed || found.lost) nodes.push(dot(), causesButton(found, open));
  if (found.ids.length && !missing) {
    const wanted = { class: "gg-l", "data-do": "retry" };
    nodes.push(h("i", {}, "→"));
    nodes.push(button("retry these: all that failed", ["retry these"], wanted));
  }
  return [h("span", {}, ...nodes)];
}

/** How metrics come and how old the newest is; empty where they are read as they are written. */
export function metricsSentence({ channel, reported, ended }: ScanInfo, now: number): string {
  if (ended !== null || !SLOW_CHANNELS.includes(channel)) return "";
  if (channel === "end") return "metrics arrive when a job ends";
  if (typeof reported !== "number") return `metrics come by ${channel}, none so far`;
  return `metrics come by ${channel}, ${duration(now - reported)} old`;
}

/** `14:31, Europe/Zurich`. */
function clockWithZone(unix: number): string {
  return `${clock(unix)}, ${Intl.DateTimeFormat().resolvedOptions().timeZone}`;
}

/** The foot, and above its line the list of causes when it is open. */
export class Footer {
  readonly element = h("div", { class: "gg-foot" });
  private readonly note = h("div", { class: "gg-note" });
  private readonly said = h("div", { class: "gg-said gg-q" });
  private readonly summary = h("div", { class: "gg-sum" });
  private readonly channel = h("span", { class: "gg-q gg-way" });
  private readonly fresh = h("span", { class: "gg-q gg-fresh" });
  private readonly list: CauseList;
  private received = 0;
  /** What is shown, for the list of causes to open without a new message. */
  private shown: { scan: ScanInfo; data: FooterData } | null = null;

  constructor(private readonly events: FooterEvents) {
    this.list = new CauseList(events);
    const line = h("div", { class: "gg-ft" }, this.summary, h("span", { class: "gg-sp" }));
    line.append(this.channel, this.fresh);
    this.element.append(this.note, this.said, this.list.element, line);
    this.summary.addEventListener("click", (event) => this.click(event));
    // Looking up the time zone is slow the first time, so it waits until somebody points there.
    this.fresh.addEventListener("pointerenter", () => {
      setAttributes(this.fresh, { title: clockWithZone(this.received) });
    });
    this.say("");
  }

  update(scan: ScanInfo, data: FooterData): void {
    const { found, missing } = data;
    this.shown = { scan, data };
    const list = this.list.element;
    if (found.ids.length === 0) list.hidden = true;
    const open = !list.hidden;
    const counts = [totalOf(scan), scan.counts, found.summary, found.lost, missing, open];
    drawIfChanged(this.summary, JSON.stringify(counts), () => drawSummary(scan, data, open));
    if (open) this.list.update(data.causes(), !missing);
    this.drawNote([missing ? MISSING_SCAN : "", scan.note ?? ""].filter(Boolean).join(" "));
  }

  private drawNote(note: string): void {
    drawIfChanged(this.note, note, () => {
      if (note === "") return [];
      return [icon("lost"), h("span", { title: full(note) }, clip(note, 300))];
    });
    this.note.hidden = note === "";
  }

  private click(event: Event): void {
    const act = (event.target as Element).closest<HTMLElement>("button")?.dataset["do"];
    if (!this.shown) return;
    const { scan, data } = this.shown;
    if (act === "retry") this.events.retry(data.found.ids);
    if (act !== "causes") return;
    this.list.element.hidden = !this.list.element.hidden;
    this.update(scan, data);
    // The button was drawn anew; the focus goes to the new one.
    this.summary.querySelector<HTMLElement>("[data-do=causes]")?.focus();
  }

  /** Shows a sentence to the user. */
  say(text: string): void {
    setText(this.said, clip(text, 400));
    this.said.hidden = text === "";
  }

  /** Draws the ages, which go on by themselves. */
  tick({ received, now, senderNow, closed, ended, retryAt, refused }: Freshness): void {
    const age = ended && !closed ? "" : freshness(received, now, closed);
    const channel = this.shown && !closed ? metricsSentence(this.shown.scan, senderNow) : "";
    setText(this.channel, channel);
    const retry = refused ? RELOAD : retrySentence(retryAt, now);
    setText(this.fresh, closed ? `${age}, not connected${retry && `. ${retry}`}` : age);
    this.received = received;
  }
}
