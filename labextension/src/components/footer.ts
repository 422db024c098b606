/** The foot: totals, failures by reason, a note, what was said, and how fresh it all is. */
import { type ScanInfo, STATES } from "../wire";
import { button, h, once, setText } from "./dom";
import { clip, clock, freshness, full, plural } from "./format";
import { icon } from "./icons";
import type { Failures } from "./words";

export interface FooterEvents {
  retry(ids: string[]): void;
}

function total(scan: ScanInfo): number {
  return Math.max(
    scan.total ?? 0,
    STATES.reduce((sum, state) => sum + (scan.counts[state] ?? 0), 0),
  );
}

function parts(scan: ScanInfo, { failed, lost, words }: Failures): string[] {
  return [
    plural(total(scan), "variant"),
    scan.counts.done ? `${scan.counts.done} done` : "",
    failed ? `${failed} failed: ${words}` : "",
    lost ? `${lost} lost` : "",
  ].filter(Boolean);
}

function summary(scan: ScanInfo, found: Failures): Node[] {
  const nodes = parts(scan, found).flatMap((text, i) => (i ? [h("i", {}, "·"), text] : [text]));
  const line = h("span", {}, ...nodes);
  if (found.ids.length) {
    line.append(
      h("i", {}, "→"),
      button("Run the failed ones again", ["retry these"], { class: "gg-l" }),
    );
  }
  return [line];
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
  private readonly fresh = h("span", { class: "gg-q gg-fresh" });
  private ids: string[] = [];
  private received = 0;

  constructor(events: FooterEvents) {
    this.element.append(
      this.note,
      this.said,
      h("div", { class: "gg-ft" }, this.summary, h("span", { class: "gg-sp" }), this.fresh),
    );
    this.summary.addEventListener("click", (event) => {
      if ((event.target as Element).closest("button")) events.retry(this.ids);
    });
    this.fresh.addEventListener("pointerenter", () => (this.fresh.title = exactly(this.received)));
    this.say("");
  }

  update(scan: ScanInfo, found: Failures): void {
    this.ids = found.ids;
    once(this.summary, JSON.stringify([total(scan), scan.counts, found.words, found.lost]), () =>
      summary(scan, found),
    );
    const note = scan.note ?? "";
    once(this.note, note, () =>
      note ? [icon("lost"), h("span", { title: full(note) }, clip(note))] : [],
    );
    this.note.hidden = note === "";
  }

  say(text: string): void {
    setText(this.said, clip(text, 400));
    this.said.hidden = text === "";
  }

  tick(received: number, now: number, closed: boolean, ended: boolean): void {
    const words = ended && !closed ? "" : freshness(received, now, closed);
    setText(this.fresh, closed ? `${words}, not connected` : words);
    this.received = received;
  }
}
