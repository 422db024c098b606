/** Which variants are the best, by the value of the objective. */
import type { Row, ScanInfo } from "../../wire";
import { finite } from "../ui/numbers";
import { byId, comparable } from "./rows";

/** The first `most` items in the order of `compare`, without sorting all of them. */
export function least<T>(items: Iterable<T>, most: number, compare: (a: T, b: T) => number): T[] {
  const kept: T[] = [];
  for (const item of items) {
    const last = kept[most - 1];
    if (last !== undefined && compare(item, last) >= 0) continue;
    let place = kept.length;
    while (place > 0 && compare(item, kept[place - 1] as T) < 0) place -= 1;
    kept.splice(place, 0, item);
    if (kept.length > most) kept.pop();
  }
  return kept;
}

/** With this sign, smaller is better. */
const signOf = ({ objective }: ScanInfo): number => (objective?.direction === "minimize" ? 1 : -1);

/** Compares rows: the best first, those without a value last and by their ids. */
export function byValue(scan: ScanInfo): (a: Row, b: Row) => number {
  const sign = signOf(scan);
  const key = (row: Row): number => {
    const value = comparable(row);
    return finite(value) ? sign * value : Infinity;
  };
  return (a, b) => {
    const keyA = key(a);
    const keyB = key(b);
    // Equal keys are not subtracted, since Infinity - Infinity is NaN.
    return keyA === keyB ? byId(a.id, b.id) : keyA - keyB;
  };
}

/** The ids of the best variants that have a value, at most `most` of them. */
export function bestIds(rows: Iterable<Row>, scan: ScanInfo, most: number): string[] {
  const found = least(rows, most, byValue(scan));
  return found.filter((row) => finite(comparable(row))).map((row) => row.id);
}

/** The place of a row among all: 1 is the best; null where it has no value. */
export function rankOf(row: Row, rows: Iterable<Row>, scan: ScanInfo): number | null {
  const value = comparable(row);
  if (!finite(value) || !scan.objective) return null;
  const sign = signOf(scan);
  let rank = 1;
  for (const other of rows) {
    const theirs = comparable(other);
    if (finite(theirs) && sign * theirs < sign * value) rank += 1;
  }
  return rank;
}
