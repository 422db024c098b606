/** What a table shows and in which order: sort, filter, open groups, selection, columns. */
import type { Row, ScanInfo } from "../../wire";
import { hasFront, objectivesOf } from "../scan/ranking";
import type { ScanStore } from "../scan/store";
import { layoutColumns } from "./columnlayout";
import { buildColumns, type Column } from "./columns";
import { type Filter, parseFilter } from "./filter";
import {
  frontFirst,
  keepOrder,
  type Line,
  linesOf,
  matchingRows,
  type Sort,
  sortLines,
  withOpenGroups,
} from "./lines";

/** What a user arranged in a table; a new table of the same scan goes on from it. */
export interface SavedArrangement {
  filterText: string;
  openGroups: ReadonlySet<string>;
  selected: ReadonlySet<string>;
  /** Columns that were shown or hidden in the menu, by their keys. */
  columnChoices: ReadonlyMap<string, boolean>;
  /** Null until the user sorts. */
  sort: Sort | null;
}

/** The Pareto front first, then by the first objective. No column alone has this order. */
const BY_FRONT: Sort = { key: "front", descending: false };

/** By the first objective, the best first; without one by ids. */
function sortByObjective(scan: ScanInfo): Sort {
  const [objective] = objectivesOf(scan);
  if (!objective) return { key: "id", descending: false };
  return { key: `m:${objective.metric}`, descending: objective.direction === "maximize" };
}

/** The arrangement of one table. */
export class TableArrangement {
  filterText: string;
  readonly openGroups: Set<string>;
  readonly selected: Set<string>;
  readonly columnChoices: Map<string, boolean>;
  /** All columns that the scan has, and those that are shown. */
  allColumns: Column[] = [];
  columns: Column[] = [];
  /** The lines without the rows of open groups. */
  topLines: Line[] = [];
  /** How many lines a sort would move. */
  moved = 0;
  /** How many rows the filter lets through. */
  matched = 0;
  /** What is wrong with the filter. */
  hint: string | null = null;
  private chosenSort: Sort | null;
  private signature = "";

  constructor(
    private readonly store: ScanStore,
    from: SavedArrangement | null = null,
  ) {
    this.filterText = from?.filterText ?? "";
    this.openGroups = new Set(from?.openGroups);
    this.selected = new Set(from?.selected);
    this.columnChoices = new Map(from?.columnChoices);
    this.chosenSort = from?.sort ?? null;
  }

  /** The arrangement, for another table to go on from. */
  save(): SavedArrangement {
    const { filterText, openGroups, selected, columnChoices, chosenSort } = this;
    return { filterText, openGroups, selected, columnChoices, sort: chosenSort };
  }

  /** How the table is sorted: the best first, or the Pareto front first, until the user sorts. */
  sort(scan: ScanInfo): Sort {
    return this.chosenSort ?? (hasFront(scan) ? BY_FRONT : sortByObjective(scan));
  }

  /** Forgets how the user sorted: another objective ranks the rows now. */
  unsort(): void {
    this.chosenSort = null;
  }

  /** Sorts by a column; the column that sorts already turns its order around. */
  sortBy(key: string, scan: ScanInfo): void {
    const current = this.sort(scan);
    if (current.key === key) {
      this.chosenSort = { key, descending: !current.descending };
      return;
    }
    const objective = objectivesOf(scan).find(({ metric }) => key === `m:${metric}`);
    this.chosenSort = { key, descending: objective?.direction === "maximize" };
  }

  /** Lays out the columns in a width in pixels; returns whether they differ from before. */
  fit(scan: ScanInfo, width: number): boolean {
    this.allColumns = buildColumns(scan, this.store.statistics);
    const columns = layoutColumns(this.allColumns, this.columnChoices, width);
    // Widths change with the digits of values, so everything about the columns is compared.
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

  /**
   * The lines to draw.
   *
   * While somebody looks closely (`held`), lines keep their places and new ones come last; a row
   * that the filter does not let through any more stays as well.
   */
  arrange(scan: ScanInfo, held: boolean): Line[] {
    const filter = this.filter();
    // A filter that is not understood shows no row at all, so nothing is kept then.
    const kept = held && filter.hint === null ? this.shownIds() : null;
    const rows = matchingRows(this.store.rows.values(), filter, kept);
    const sorted = this.sorted(linesOf(rows, scan.repeats !== null), scan);
    const before = this.topLines.map((line) => line.key);
    const arranged = held ? keepOrder(sorted, before) : { lines: sorted, moved: 0 };
    this.hint = filter.hint;
    this.matched = rows.length;
    this.moved = arranged.moved;
    this.topLines = arranged.lines;
    return withOpenGroups(this.topLines, this.openGroups);
  }

  private sorted(lines: Line[], scan: ScanInfo): Line[] {
    const sort = this.sort(scan);
    const { key, descending } = sort === BY_FRONT ? sortByObjective(scan) : sort;
    const column = this.allColumns.find((one) => one.key === key);
    const sorted = sortLines(lines, column, descending, this.store.now());
    return sort === BY_FRONT ? frontFirst(sorted, scan) : sorted;
  }

  private shownIds(): Set<string> {
    return new Set(this.topLines.flatMap((line) => line.rows.map((row) => row.id)));
  }

  /** Selects the rows of these lines, or takes them out of the selection. */
  select(lines: readonly Line[], on: boolean): void {
    for (const row of lines.flatMap((line) => line.rows)) {
      if (on) this.selected.add(row.id);
      else this.selected.delete(row.id);
    }
  }

  /** Whether all rows of a line are selected. */
  isSelected = (line: Line): boolean => line.rows.every((row) => this.selected.has(row.id));

  /** The line that a row is in, be it the row itself or its group. */
  lineOf(id: string): Line | undefined {
    return this.topLines.find((line) => line.rows.some((row) => row.id === id));
  }

  selectedRows(): Row[] {
    return [...this.selected]
      .map((id) => this.store.rows.get(id))
      .filter((row) => row !== undefined);
  }

  /** How many lines high the grid is. It counts all rows, so that a filter moves nothing below. */
  height(most: number): number {
    return Math.min(most, this.store.rows.size);
  }
}
