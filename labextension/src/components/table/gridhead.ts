/** The header row: the names of the columns, and which one sorts. */
import { drawIfChanged, h } from "../ui/dom";
import { icon } from "../ui/icons";
import { clip, full } from "../ui/text";
import type { Column } from "./columns";
import type { Sort } from "./lines";

/** The class of the box that selects all: none, all or some rows are selected. */
export type SelectionMark = "" | "gg-on" | "gg-mid";

function ariaSort(column: Column, sort: Sort): string | null {
  if (column.kind === "select") return null;
  if (column.key !== sort.key) return "none";
  return sort.descending ? "descending" : "ascending";
}

function headCell(column: Column, sort: Sort, mark: SelectionMark): HTMLElement {
  const sorted = column.key === sort.key;
  const wanted = {
    class: ["gg-h", column.right && "gg-n", sorted && "gg-sorted"].filter(Boolean).join(" "),
    role: "columnheader",
    tabindex: -1,
    "data-col": column.hook,
    "data-key": column.key,
    "aria-sort": ariaSort(column, sort),
    title: full(column.title) || null,
  };
  if (column.kind === "select") {
    const label = "Select all rows";
    const box = h("i", { class: `gg-x ${mark}` });
    return h("div", { ...wanted, "aria-label": label, title: label }, box);
  }
  const arrow = sorted ? icon(sort.descending ? "down" : "up") : null;
  return h("div", wanted, h("span", {}, clip(column.label)), arrow);
}

/** The row of headers. The arrow keys move between them; Enter sorts. */
export class GridHead {
  readonly element = h("div", { class: "gg-row gg-head", role: "row", "aria-rowindex": 1 });

  update(columns: readonly Column[], sort: Sort, mark: SelectionMark): void {
    const focused = this.focusedKey();
    const names = columns.map(({ key, label, title, right }) => [key, label, title, right]);
    const drawn = drawIfChanged(this.element, JSON.stringify([names, sort, mark]), () =>
      columns.map((column) => headCell(column, sort, mark)),
    );
    // New elements have no focus, so it is given to the header of the same column.
    if (drawn && focused !== undefined) this.focus(focused);
  }

  private focusedKey(): string | undefined {
    const { activeElement } = document;
    if (!this.element.contains(activeElement)) return undefined;
    return (activeElement as HTMLElement).dataset["key"];
  }

  private cells(): HTMLElement[] {
    return [...this.element.children] as HTMLElement[];
  }

  /** Focuses the header of the column with this key, or the first one that sorts. */
  focus(key: string | null): void {
    const cells = this.cells();
    // The first column is that of the boxes.
    (cells.find((cell) => cell.dataset["key"] === key) ?? cells[1])?.focus();
  }

  /** Moves the focus from one header to the one `by` places to the right. */
  step(from: HTMLElement, by: number): void {
    const cells = this.cells();
    cells[cells.indexOf(from) + by]?.focus();
  }
}
