/** Failures by cause, a line each: what, how many, which, and a button to run them again. */
import type { Cause } from "../scan/causes";
import { button, drawIfChanged, h } from "../ui/dom";
import { icon } from "../ui/icons";
import { clip, full } from "../ui/text";

/** What a user does in the list. */
export interface CauseEvents {
  /** Runs variants again. */
  retry(ids: string[]): void;
  /** Goes to the row of a variant. */
  goTo(id: string): void;
}

/** So many variants of a cause are named; the others are only counted. */
const MOST_NAMED = 12;

function idButtons({ rows }: Cause): HTMLElement {
  const named = rows.slice(0, MOST_NAMED).map(({ id }) => {
    const name = clip(id, 40);
    return button(`Go to ${name}`, [name], { class: "gg-l gg-plain", "data-go": id });
  });
  const others = rows.length - named.length;
  return h("span", { class: "gg-c gg-q gg-ids" }, ...named, others ? `+${others}` : null);
}

function line(cause: Cause, command: boolean): HTMLElement {
  const wanted = { class: "gg-cause", title: full(cause.message) };
  const text = h("span", wanted, clip(cause.text, 120));
  const count = h("span", { class: "gg-c" }, String(cause.rows.length));
  const retry = { class: "gg-l", "data-retry": cause.key };
  return h(
    "li",
    {},
    ...[icon(cause.state, cause.state), text, count, idButtons(cause)],
    command ? button(`retry: ${clip(cause.text, 60)}`, ["retry"], retry) : null,
  );
}

/** The list. The foot of the table opens and closes it. */
export class CauseList {
  readonly element = h("ul", { class: "gg-causes", "aria-label": "Failures by cause" });
  private causes: readonly Cause[] = [];

  constructor(private readonly events: CauseEvents) {
    this.element.hidden = true;
    this.element.addEventListener("click", (event) => this.click(event));
  }

  /** Shows these causes; `command` says that the scan takes commands. */
  update(causes: readonly Cause[], command: boolean): void {
    this.causes = causes;
    // Of rows that may be thousands, only what the list shows is compared.
    const shown = causes.map(({ key, text, rows }) => {
      const named = rows.slice(0, MOST_NAMED).map((row) => row.id);
      return [key, text, rows.length, named];
    });
    drawIfChanged(this.element, JSON.stringify([shown, command]), () =>
      causes.map((cause) => line(cause, command)),
    );
  }

  private click(event: Event): void {
    const { go, retry } = (event.target as Element).closest<HTMLElement>("button")?.dataset ?? {};
    if (go !== undefined) this.events.goTo(go);
    if (retry === undefined) return;
    const cause = this.causes.find(({ key }) => key === retry);
    if (cause) this.events.retry(cause.rows.map((row) => row.id));
  }
}
