/** What a row of the table says about its variant. */
import type { Row, State } from "../../wire";
import { toNumber } from "./values";

const COMPARABLE: ReadonlySet<State> = new Set<State>(["done", "running", "queued", "new"]);
const STOPPABLE: ReadonlySet<State> = new Set<State>(["running", "queued", "new"]);

/** The value of an objective; `index` says which one, where the scan has several. */
export function objectiveValue({ values, value }: Row, index = 0): number | null {
  return toNumber(values ? values[index] : value);
}

/**
 * The value of an objective, if the row may be compared with others.
 *
 * What failed or was stopped may have been good for a few epochs; it never counts as the best.
 */
export function comparable(row: Row, index = 0): number | null {
  return COMPARABLE.has(row.state) ? objectiveValue(row, index) : null;
}

/** How many seconds the last attempt has run; null before it started. */
export function elapsed(row: Row, now: number): number | null {
  if (row.started === null) return null;
  if (row.ended !== null) return Math.max(0, row.ended - row.started);
  return row.state === "running" ? Math.max(0, now - row.started) : null;
}

/** Whether there is something to stop; everything else can be run again. */
export const canStop = (row: Row): boolean => STOPPABLE.has(row.state);

/** Compares the ids of two variants: v9999 comes before v10000. */
export function byId(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return Number(a > b) - Number(a < b);
}
