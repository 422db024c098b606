/** The menu in which a user shows and hides columns. */
import { button, drawIfChanged, h } from "../ui/dom";
import { clip, full } from "../ui/text";
import { FIXED, type ColumnChoices } from "./columnlayout";
import type { Column } from "./columns";

/** What a user does in the menu. */
export interface ColumnMenuEvents {
  toggle(key: string, on: boolean): void;
  /** Shows the columns that fit, as if nobody had chosen any. */
  reset(): void;
  closed(): void;
}

const GROUPS: [title: string, kinds: Column["kind"][]][] = [
  ["Parameters", ["param"]],
  ["Values", ["objective", "best", "metric"]],
  ["Curves", ["curve"]],
  ["Other", ["epoch", "where", "gpu", "time"]],
];

const labelOf = (column: Column): string => (column.kind === "curve" ? column.name : column.label);

function choice(column: Column, shown: ReadonlySet<string>): HTMLElement {
  const box = h("input", { type: "checkbox", "data-key": column.key });
  box.checked = shown.has(column.key);
  box.disabled = FIXED.has(column.kind);
  // Names that come from code are written as code.
  const code = ["param", "metric", "curve", "objective"].includes(column.kind);
  return h(
    "label",
    { title: full(column.title) },
    box,
    h("span", { class: code ? "gg-c" : "" }, clip(labelOf(column), 60)),
  );
}

function group(
  title: string,
  columns: readonly Column[],
  shown: ReadonlySet<string>,
): HTMLElement | null {
  if (columns.length === 0) return null;
  return h(
    "div",
    { role: "group", "aria-label": title },
    h("div", { class: "gg-q" }, title),
    ...columns.map((column) => choice(column, shown)),
  );
}

/** The menu. Its boxes are made anew only when the scan has other columns. */
export class ColumnMenu {
  readonly element = h("div", { class: "gg-menu", role: "dialog", "aria-label": "Columns shown" });
  private readonly list = h("div", { class: "gg-list" });

  constructor(private readonly events: ColumnMenuEvents) {
    const reset = button("Columns as they fit", ["As they fit"]);
    this.element.hidden = true;
    this.element.append(this.list, h("div", { class: "gg-menu-end" }, reset));
    reset.addEventListener("click", () => events.reset());
    this.list.addEventListener("change", (event) => {
      const box = event.target as HTMLInputElement;
      events.toggle(box.dataset["key"] ?? "", box.checked);
    });
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.show(false);
    });
    this.element.addEventListener("focusout", () => setTimeout(() => this.closeIfLeft()));
  }

  private closeIfLeft(): void {
    const focused = document.activeElement;
    // While a box is redrawn the focus is on the body for a moment.
    if (!focused || focused === document.body || this.element.contains(focused)) return;
    this.show(false, false);
  }

  /** Whether the menu is open. */
  get shown(): boolean {
    return !this.element.hidden;
  }

  /** Opens or closes the menu; without `back`, the focus stays where the user put it. */
  show(on: boolean, back = true): void {
    if (on === this.shown) return;
    this.element.hidden = !on;
    if (on) (this.list.querySelector<HTMLElement>("input:not(:disabled)") ?? this.element).focus();
    else if (back) this.events.closed();
  }

  /** Boxes are kept as long as there are the same columns, so that the focus stays too. */
  update(all: readonly Column[], shown: readonly Column[], choices: ColumnChoices): void {
    if (!this.shown) return;
    const keys = new Set(shown.map((column) => column.key));
    drawIfChanged(this.list, JSON.stringify(all.map((column) => column.key)), () =>
      GROUPS.map(([title, kinds]) => {
        const columns = all.filter(({ kind }) => kinds.includes(kind));
        return group(title, columns, keys);
      }),
    );
    for (const box of this.list.querySelectorAll<HTMLInputElement>("input")) {
      const key = box.dataset["key"] ?? "";
      box.checked = choices.get(key) ?? keys.has(key);
    }
  }
}
