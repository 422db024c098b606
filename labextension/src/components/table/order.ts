/** From rows to lines in order: filter, fold repeats, sort, and keep still. Pure. */
import type { Row, State } from "../../wire";
import { byId } from "../scan/ranking";
import { comparable, elapsed } from "../scan/rows";
import { paramText, toNumber } from "../scan/values";
import { finite, mean } from "../ui/numbers";
import { own } from "../ui/text";
import type { Column } from "./columns";
import type { Filter } from "./filter";

/** A row, or the repeats of one point folded into one. */
export interface Line {
  key: string;
  /** The row itself, or the first of the folded ones. */
  row: Row;
  rows: readonly Row[];
  fold: boolean;
  depth: 0 | 1;
}

export interface Sort {
  key: string;
  descending: boolean;
}

const RANK: Record<State, number> = {
  done: 0,
  running: 1,
  queued: 2,
  new: 3,
  failed: 4,
  lost: 5,
  cancelled: 6,
};

type Key = number | string | null;

export function values(line: Line): number[] {
  return line.rows.map(comparable).filter(finite);
}

/** Failed after running after done, whatever the order of the fold. */
export function stateOf(line: Line): State {
  const has = (state: State): boolean => line.rows.some((row) => row.state === state);
  const order: State[] = ["running", "queued", "failed", "lost", "new", "cancelled"];
  return line.fold ? (order.find(has) ?? "done") : line.row.state;
}

function longest(line: Line, now: number): number | null {
  const times = line.rows.map((row) => elapsed(row, now)).filter(finite);
  return times.length ? Math.max(...times) : null;
}

function objective(line: Line): number | null {
  if (!line.fold) return comparable(line.row);
  const known = values(line);
  return known.length ? mean(known) : null;
}

function param(line: Line, name: string): Key {
  const value = own(line.row.params, name);
  if (value === undefined) return null;
  return typeof value === "number" ? value : paramText(value);
}

function sortKey(line: Line, column: Column, now: number): Key {
  switch (column.kind) {
    case "param":
      return param(line, column.name);
    case "state":
      return RANK[stateOf(line)];
    case "epoch":
      return line.row.step;
    case "objective":
    case "best":
      return objective(line);
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

/** Missing and NaN come last either way. */
function compareKeys(a: Key, b: Key, sign: number): number {
  const [noA, noB] = [a === null || Number.isNaN(a), b === null || Number.isNaN(b)];
  if (noA || noB) return +noA - +noB;
  if (typeof a === "number" && typeof b === "number") return sign * (a - b || 0);
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
}

export function sortLines(
  lines: Line[],
  column: Column | undefined,
  descending: boolean,
  now: number,
): Line[] {
  const sign = descending ? -1 : 1;
  const idSign = column?.kind === "id" ? sign : 1;
  const keyed = lines.map((line) => ({ line, key: column ? sortKey(line, column, now) : null }));
  keyed.sort(
    (a, b) =>
      compareKeys(a.key, b.key, sign) ||
      (a.key === null && column?.kind !== "id"
        ? RANK[stateOf(a.line)] - RANK[stateOf(b.line)]
        : 0) ||
      idSign * byId(a.line.row.id, b.line.row.id),
  );
  return keyed.map(({ line }) => line);
}

const single = (row: Row, depth: 0 | 1 = 0): Line => ({
  key: row.id,
  row,
  rows: [row],
  fold: false,
  depth,
});

export const foldKey = (point: number): string => `p${String(point).padStart(4, "0")}`;

/** Repeats of one point become one line; a point with one row stays a row. */
export function fold(rows: readonly Row[]): Line[] {
  const points = new Map<number, Row[]>();
  for (const row of rows) {
    const group = points.get(row.point);
    if (group) group.push(row);
    else points.set(row.point, [row]);
  }
  return [...points.values()].map(foldGroup);
}

function foldGroup(group: Row[]): Line {
  group.sort((a, b) => a.repeat - b.repeat || byId(a.id, b.id));
  const [row] = group as [Row];
  if (group.length === 1) return single(row);
  return { key: foldKey(row.point), row, rows: group, fold: true, depth: 0 };
}

export const lines = (rows: readonly Row[], folded: boolean): Line[] =>
  folded ? fold(rows) : rows.map((row) => single(row));

export function match(
  rows: Iterable<Row>,
  filter: Filter,
  kept: ReadonlySet<string> | null,
): Row[] {
  const found: Row[] = [];
  for (const row of rows) if (filter.test(row) || kept?.has(row.id)) found.push(row);
  return found;
}

/** Opened folds show their rows behind them. */
export function expand(top: readonly Line[], open: ReadonlySet<string>): Line[] {
  if (open.size === 0) return [...top];
  return top.flatMap((line) =>
    line.fold && open.has(line.key) ? [line, ...line.rows.map((row) => single(row, 1))] : [line],
  );
}

/** The least number of lines that leave their place: all but a longest rising run. */
export function movedCount(places: readonly number[]): number {
  const tails: number[] = [];
  for (const place of places) {
    let [low, high] = [0, tails.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((tails[middle] ?? 0) < place) low = middle + 1;
      else high = middle;
    }
    tails[low] = place;
  }
  return places.length - tails.length;
}

/** The lines in their old order, new ones last, and how many a sort would move. */
export function keepStill(
  sorted: readonly Line[],
  before: readonly string[],
): { lines: Line[]; moved: number } {
  const place = new Map(before.map((key, index) => [key, index]));
  const placeOf = (line: Line): number => place.get(line.key) ?? Infinity;
  const old = sorted.filter((line) => place.has(line.key));
  const fresh = sorted.filter((line) => !place.has(line.key));
  const moved = movedCount(
    sorted.map((line, i) => (place.has(line.key) ? placeOf(line) : before.length + i)),
  );
  return { lines: [...old].sort((a, b) => placeOf(a) - placeOf(b)).concat(fresh), moved };
}
