/** The header row: names of the columns, and which one sorts. */
import { drawIfChanged, h } from "../ui/dom";
import { icon } from "../ui/icons";
import { clip, full } from "../ui/text";
import type { Column } from "./columns";
import type { Sort } from "./order";

const SORTS = (column: Column): boolean => column.kind !== "select";

function ariaSort(column: Column, sort: Sort): string | null {
  if (!SORTS(column)) return null;
  if (column.key !== sort.key) return "none";
  return sort.descending ? "descending" : "ascending";
}

function headCell(column: Column, sort: Sort, chosen: string): HTMLElement {
  const sorted = column.key === sort.key;
  const wanted = {
    class: `gg-h${column.right ? " gg-n" : ""}${sorted ? " gg-sorted" : ""}`,
    role: "columnheader",
    tabindex: -1,
    "data-col": column.hook,
    "data-key": column.key,
    "aria-sort": ariaSort(column, sort),
    title: full(column.title) || null,
  };
  if (column.kind === "select")
    return h(
      "div",
      { ...wanted, "aria-label": "Select all rows", title: "Select all rows" },
      h("i", { class: `gg-x ${chosen}` }),
    );
  return h(
    "div",
    wanted,
    h("span", {}, clip(column.label)),
    sorted ? icon(sort.descending ? "down" : "up") : null,
  );
}

export class GridHead {
  readonly element = h("div", { class: "gg-row gg-head", role: "row", "aria-rowindex": 1 });

  update(columns: readonly Column[], sort: Sort, chosen: "" | "gg-on" | "gg-mid"): void {
    const focused = this.element.contains(document.activeElement)
      ? (document.activeElement as HTMLElement).dataset["key"]
      : undefined;
    const names = columns.map(({ key, label, title, right }) => [key, label, title, right]);
    const drawn = drawIfChanged(this.element, JSON.stringify([names, sort, chosen]), () =>
      columns.map((column) => headCell(column, sort, chosen)),
    );
    if (drawn && focused !== undefined) this.focus(focused);
  }

  private all(): HTMLElement[] {
    return [...this.element.children] as HTMLElement[];
  }

  focus(key: string | null): void {
    const cells = this.all();
    (cells.find((cell) => cell.dataset["key"] === key) ?? cells[1])?.focus();
  }

  step(from: HTMLElement, by: number): void {
    const cells = this.all();
    cells[cells.indexOf(from) + by]?.focus();
  }
}
