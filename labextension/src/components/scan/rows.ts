/** Rows. */
import type { Row, State } from "../../wire";
import { toNumber } from "./values";

const COMPARABLE: ReadonlySet<State> = new Set<State>(["done", "running", "queued", "new"]);

/** The objective of a row that may be compared; failed and stopped ones stay out. */
export function comparable(row: Row): number | null {
  return COMPARABLE.has(row.state) ? toNumber(row.value) : null;
}

export function elapsed(row: Row, now: number): number | null {
  if (row.started === null) return null;
  if (row.ended !== null) return Math.max(0, row.ended - row.started);
  return row.state === "running" ? Math.max(0, now - row.started) : null;
}

const ACTIVE = new Set<State>(["running", "queued", "new"]);

export const canStop = (row: Row): boolean => ACTIVE.has(row.state);
