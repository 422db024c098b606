/** Failures by cause, one line each: what, how many, which, and a way to run them again. */
import type { Cause } from "../scan/causes";
import { button, drawIfChanged, h } from "../ui/dom";
import { icon } from "../ui/icons";
import { clip, full } from "../ui/text";

export interface CauseEvents {
  retry(ids: string[]): void;
  goTo(id: string): void;
}

/** Ids that are named; the others are only counted. */
const NAMED = 12;

function ids({ rows }: Cause): HTMLElement {
  const named = rows.slice(0, NAMED).map(({ id }) => {
    const name = clip(id, 40);
    return button(`Go to ${name}`, [name], { class: "gg-l gg-plain", "data-go": id });
  });
  const rest = rows.length - named.length;
  return h("span", { class: "gg-c gg-q gg-ids" }, ...named, rest ? `+${rest}` : null);
}

function line(cause: Cause, command: boolean): HTMLElement {
  const words = h("span", { class: "gg-cause", title: full(cause.message) }, clip(cause.text, 120));
  const count = h("span", { class: "gg-c" }, String(cause.rows.length));
  const retry = { class: "gg-l", "data-retry": cause.key };
  return h(
    "li",
    {},
    ...[icon(cause.state, cause.state), words, count, ids(cause)],
    command ? button(`retry: ${clip(cause.text, 60)}`, ["retry"], retry) : null,
  );
}

export class CauseList {
  readonly element = h("ul", { class: "gg-causes", "aria-label": "Failures by cause" });
  private causes: readonly Cause[] = [];

  constructor(private readonly events: CauseEvents) {
    this.element.hidden = true;
    this.element.addEventListener("click", (event) => this.click(event));
  }

  update(causes: readonly Cause[], command: boolean): void {
    this.causes = causes;
    const shown = causes.map(({ key, text: words, rows }) => [
      ...[key, words, rows.length],
      rows.slice(0, NAMED).map((row) => row.id),
    ]);
    drawIfChanged(this.element, JSON.stringify([shown, command]), () =>
      causes.map((cause) => line(cause, command)),
    );
  }

  private click(event: Event): void {
    const { go, retry } = (event.target as Element).closest<HTMLElement>("button")?.dataset ?? {};
    if (go !== undefined) this.events.goTo(go);
    const cause = retry === undefined ? null : this.causes.find(({ key }) => key === retry);
    if (cause) this.events.retry(cause.rows.map((row) => row.id));
  }
}
