/** Which variants are best, by the objective's value. Pure. */
import type { Row, ScanInfo } from "../../wire";
import { finite } from "../ui/numbers";
import { comparable } from "./rows";

/** The first few in order, without sorting all. */
export function least<T>(items: Iterable<T>, most: number, compare: (a: T, b: T) => number): T[] {
  const kept: T[] = [];
  for (const item of items) {
    const last = kept[most - 1];
    if (last !== undefined && compare(item, last) >= 0) continue;
    let at = kept.length;
    while (at > 0 && compare(item, kept[at - 1] as T) < 0) at -= 1;
    kept.splice(at, 0, item);
    if (kept.length > most) kept.pop();
  }
  return kept;
}

/** Best first; what has no value comes last, by its id. */
export function byValue({ objective }: ScanInfo): (a: Row, b: Row) => number {
  const sign = objective?.direction === "minimize" ? 1 : -1;
  const key = (row: Row): number => {
    const value = comparable(row);
    return finite(value) ? sign * value : Infinity;
  };
  return (a, b) => {
    const [x, y] = [key(a), key(b)];
    return x === y ? byId(a.id, b.id) : x - y;
  };
}

/** The ids of the best few that have a value. */
export function bestIds(rows: Iterable<Row>, scan: ScanInfo, most: number): string[] {
  const found = least(rows, most, byValue(scan));
  return found.filter((row) => finite(comparable(row))).map((row) => row.id);
}

/** How many are better, plus one. */
export function rankOf(row: Row, rows: Iterable<Row>, scan: ScanInfo): number | null {
  const value = comparable(row);
  if (!finite(value) || !scan.objective) return null;
  const sign = scan.objective.direction === "minimize" ? 1 : -1;
  let rank = 1;
  for (const other of rows) {
    const theirs = comparable(other);
    if (finite(theirs) && sign * theirs < sign * value) rank += 1;
  }
  return rank;
}

/** v9999 before v10000. */
export function byId(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : +(a > b));
}
