/** From rows to lines in order: filtered, repeats grouped, sorted, and kept in their places. */
import type { Row, ScanInfo, State } from "../../wire";
import { isMarked } from "../scan/ranking";
import { byId, comparable, elapsed } from "../scan/rows";
import { paramText, toNumber } from "../scan/values";
import { finite, mean } from "../ui/numbers";
import { own } from "../ui/text";
import type { Column } from "./columns";
import type { Filter } from "./filter";

/** One line of the table: a row, or the repeats of one point as a group. */
export interface Line {
  key: string;
  /** The row itself, or the first of the group. */
  row: Row;
  rows: readonly Row[];
  isGroup: boolean;
  /** 1 for a row below its open group. */
  depth: 0 | 1;
}

/** The column that sorts, by its key, and its direction. */
export interface Sort {
  key: string;
  descending: boolean;
}

/** The order of states in a sorted table. */
const RANK: Record<State, number> = {
  done: 0,
  running: 1,
  queued: 2,
  new: 3,
  failed: 4,
  lost: 5,
  cancelled: 6,
};

/** The state of a group is the first of these that one of its rows has. */
const GROUP_STATES: State[] = ["running", "queued", "failed", "lost", "new", "cancelled"];

type SortKey = number | string | null;

/** The values of an objective that the rows of a line have. */
export function values(line: Line, index = 0): number[] {
  return line.rows.map((row) => comparable(row, index)).filter(finite);
}

/** The state of a line. A group is done only when all of its rows are. */
export function stateOf(line: Line): State {
  if (!line.isGroup) return line.row.state;
  const has = (state: State): boolean => line.rows.some((row) => row.state === state);
  return GROUP_STATES.find(has) ?? "done";
}

function longest(line: Line, now: number): number | null {
  const times = line.rows.map((row) => elapsed(row, now)).filter(finite);
  return times.length ? Math.max(...times) : null;
}

function objective(line: Line, index: number): number | null {
  if (!line.isGroup) return comparable(line.row, index);
  const known = values(line, index);
  return known.length ? mean(known) : null;
}

function param(line: Line, name: string): SortKey {
  const value = own(line.row.params, name);
  if (value === undefined) return null;
  return typeof value === "number" ? value : paramText(value);
}

function sortKey(line: Line, column: Column, now: number): SortKey {
  switch (column.kind) {
    case "param":
      return param(line, column.name);
    case "state":
      return RANK[stateOf(line)];
    case "epoch":
      return line.row.step;
    case "objective":
    case "best":
      return objective(line, column.index);
    case "curve":
    case "metric":
      return toNumber(own(line.row.metrics, column.name)?.last);
    case "where":
      return line.row.where;
    case "gpu":
      return line.row.gpu;
    case "time":
      return longest(line, now);
    default:
      return null;
  }
}

/** Compares two keys; missing ones and NaN come last in either direction. */
function compareKeys(a: SortKey, b: SortKey, sign: number): number {
  const missingA = a === null || Number.isNaN(a);
  const missingB = b === null || Number.isNaN(b);
  if (missingA || missingB) return Number(missingA) - Number(missingB);
  // Infinity - Infinity is NaN; two equal infinities are equal.
  if (typeof a === "number" && typeof b === "number") return sign * (a - b || 0);
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
}

/** The lines sorted by a column. Equal ones are in the order of their ids. */
export function sortLines(
  lines: Line[],
  column: Column | undefined,
  descending: boolean,
  now: number,
): Line[] {
  const sign = descending ? -1 : 1;
  const byIdColumn = column?.kind === "id";
  const idSign = byIdColumn ? sign : 1;
  const entries = lines.map((line) => ({ line, key: column ? sortKey(line, column, now) : null }));
  entries.sort((a, b) => {
    const order = compareKeys(a.key, b.key, sign);
    if (order !== 0) return order;
    if (a.key === null && !byIdColumn) {
      // What has no value yet stands in the order of states: running before queued before failed.
      const byState = RANK[stateOf(a.line)] - RANK[stateOf(b.line)];
      if (byState !== 0) return byState;
    }
    return idSign * byId(a.line.row.id, b.line.row.id);
  });
  return entries.map(({ line }) => line);
}

/** Whether a variant of the line is the best one or on the Pareto front. */
export const isBest = (line: Line, scan: ScanInfo): boolean =>
  line.rows.some((row) => isMarked(scan, row.id));

/** The lines with those of the Pareto front first; the order inside of both parts stays. */
export function frontFirst(lines: readonly Line[], scan: ScanInfo): Line[] {
  const [front, others]: [Line[], Line[]] = [[], []];
  for (const line of lines) (isBest(line, scan) ? front : others).push(line);
  return [...front, ...others];
}

const lineOfRow = (row: Row, depth: 0 | 1 = 0): Line => ({
  key: row.id,
  row,
  rows: [row],
  isGroup: false,
  depth,
});

/** The key of the group of a point: `p0017`. */
export const groupKey = (point: number): string => `p${String(point).padStart(4, "0")}`;

/** Puts the repeats of each point into one line; a point with one row stays a row. */
export function groupRepeats(rows: readonly Row[]): Line[] {
  const points = new Map<number, Row[]>();
  for (const row of rows) {
    const group = points.get(row.point);
    if (group) group.push(row);
    else points.set(row.point, [row]);
  }
  return [...points.values()].map(groupLine);
}

function groupLine(group: Row[]): Line {
  group.sort((a, b) => a.repeat - b.repeat || byId(a.id, b.id));
  const [row] = group as [Row];
  if (group.length === 1) return lineOfRow(row);
  return { key: groupKey(row.point), row, rows: group, isGroup: true, depth: 0 };
}

/** The lines of some rows. */
export const linesOf = (rows: readonly Row[], grouped: boolean): Line[] =>
  grouped ? groupRepeats(rows) : rows.map((row) => lineOfRow(row));

/** The rows that a filter lets through, and those whose ids are kept in any case. */
export function matchingRows(
  rows: Iterable<Row>,
  filter: Filter,
  kept: ReadonlySet<string> | null,
): Row[] {
  const found: Row[] = [];
  for (const row of rows) if (filter.test(row) || kept?.has(row.id)) found.push(row);
  return found;
}

/** The lines with the rows of open groups behind them. */
export function withOpenGroups(lines: readonly Line[], open: ReadonlySet<string>): Line[] {
  if (open.size === 0) return [...lines];
  return lines.flatMap((line) => {
    if (!line.isGroup || !open.has(line.key)) return [line];
    return [line, ...line.rows.map((row) => lineOfRow(row, 1))];
  });
}

/**
 * The least number of lines that have to move to bring the places into ascending order.
 *
 * It is the number of lines minus the length of a longest ascending run, which is found by the
 * usual method: `tails[n]` is the smallest end of an ascending run of n + 1 places so far.
 */
export function movedCount(places: readonly number[]): number {
  const tails: number[] = [];
  for (const place of places) {
    let low = 0;
    let high = tails.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((tails[middle] ?? 0) < place) low = middle + 1;
      else high = middle;
    }
    tails[low] = place;
  }
  return places.length - tails.length;
}

/**
 * The lines in the order they had before, new ones last, and how many lines a sort would move.
 *
 * `before` has the keys of the lines as they were shown.
 */
export function keepOrder(
  sorted: readonly Line[],
  before: readonly string[],
): { lines: Line[]; moved: number } {
  const placeBefore = new Map(before.map((key, index) => [key, index]));
  const placeOf = (line: Line): number => placeBefore.get(line.key) ?? Infinity;
  const old = sorted.filter((line) => placeBefore.has(line.key));
  const added = sorted.filter((line) => !placeBefore.has(line.key));
  // New lines count as if they had stood behind all others.
  const places = sorted.map((line, i) => placeBefore.get(line.key) ?? before.length + i);
  old.sort((a, b) => placeOf(a) - placeOf(b));
  return { lines: [...old, ...added], moved: movedCount(places) };
}
