/** What one view of a scan shows: sort, filter, folds, selection, and the order that follows. */
import type { Row, ScanInfo } from "../../wire";
import type { ScanStore } from "../scan/store";
import { layoutColumns } from "./columnlayout";
import { buildColumns, type Column } from "./columns";
import { type Filter, parseFilter } from "./filter";
import { expand, keepStill, type Line, lines, match, type Sort, sortLines } from "./order";

/** What a person arranged in a view; a new view of the same scan goes on from it. */
export interface SavedArrangement {
  filterText: string;
  open: ReadonlySet<string>;
  selected: ReadonlySet<string>;
  prefs: ReadonlyMap<string, boolean>;
  sort: Sort | null;
}

export class TableArrangement {
  filterText: string;
  readonly open: Set<string>;
  readonly selected: Set<string>;
  readonly prefs: Map<string, boolean>;
  all: Column[] = [];
  columns: Column[] = [];
  top: Line[] = [];
  moved = 0;
  matched = 0;
  hint: string | null = null;
  private chosen: Sort | null;
  private signature = "";

  constructor(
    private readonly store: ScanStore,
    from: SavedArrangement | null = null,
  ) {
    this.filterText = from?.filterText ?? "";
    this.open = new Set(from?.open);
    this.selected = new Set(from?.selected);
    this.prefs = new Map(from?.prefs);
    this.chosen = from?.sort ?? null;
  }

  arrangement(): SavedArrangement {
    const { filterText, open, selected, prefs, chosen } = this;
    return { filterText, open, selected, prefs, sort: chosen };
  }

  /** By the objective, best first, until somebody sorts. */
  sort(scan: ScanInfo): Sort {
    const { objective } = scan;
    if (this.chosen) return this.chosen;
    if (!objective) return { key: "id", descending: false };
    return { key: `m:${objective.metric}`, descending: objective.direction === "maximize" };
  }

  sortBy(key: string, scan: ScanInfo): void {
    const now = this.sort(scan);
    const best =
      key === `m:${scan.objective?.metric ?? ""}` && scan.objective?.direction === "maximize";
    this.chosen = { key, descending: now.key === key ? !now.descending : best };
  }

  /** True when the columns are others than before. */
  fit(scan: ScanInfo, width: number): boolean {
    this.all = buildColumns(scan, this.store.statistics);
    const columns = layoutColumns(this.all, this.prefs, width);
    const signature = JSON.stringify(columns);
    if (signature === this.signature) return false;
    this.signature = signature;
    this.columns = columns;
    return true;
  }

  private filter(): Filter {
    const { params, metrics } = this.store.statistics;
    return parseFilter(this.filterText, {
      params: new Set(params.keys()),
      metrics: new Set(metrics.keys()),
    });
  }

  /** The lines to draw. Held, they stay where they are and new ones come last. */
  arrange(scan: ScanInfo, held: boolean): Line[] {
    const filter = this.filter();
    const kept = held && filter.hint === null ? this.shownIds() : null;
    const rows = match(this.store.rows.values(), filter, kept);
    const { key, descending } = this.sort(scan);
    const column = this.all.find((one) => one.key === key);
    const sorted = sortLines(
      lines(rows, scan.repeats !== null),
      column,
      descending,
      this.store.now(),
    );
    const still = held
      ? keepStill(
          sorted,
          this.top.map((line) => line.key),
        )
      : { lines: sorted, moved: 0 };
    this.hint = filter.hint;
    this.matched = rows.length;
    this.moved = still.moved;
    this.top = still.lines;
    return expand(this.top, this.open);
  }

  private shownIds(): Set<string> {
    return new Set(this.top.flatMap((line) => line.rows.map((row) => row.id)));
  }

  select(chosen: readonly Line[], on: boolean): void {
    for (const row of chosen.flatMap((line) => line.rows)) {
      if (on) this.selected.add(row.id);
      else this.selected.delete(row.id);
    }
  }

  isSelected = (line: Line): boolean => line.rows.every((row) => this.selected.has(row.id));

  /** The line that holds a row, be it folded or not. */
  holder(id: string): Line | undefined {
    return this.top.find((line) => line.rows.some((row) => row.id === id));
  }

  selectedRows(): Row[] {
    return [...this.selected]
      .map((id) => this.store.rows.get(id))
      .filter((row) => row !== undefined);
  }

  /** The lines that would show without a filter, as far as the height needs to know. */
  height(most: number): number {
    return Math.min(most, this.store.rows.size);
  }
}
