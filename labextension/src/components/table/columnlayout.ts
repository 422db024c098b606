/** Which columns fit a width, and how wide they become. Pure. */
import { preferences } from "../scan/preferences";
import type { Column } from "./columns";

/** What somebody asked for in the columns menu: shown or hidden. */
export type Prefs = ReadonlyMap<string, boolean>;

export const FIXED: ReadonlySet<string> = new Set(["select", "id", "state", "objective"]);

const GROWS: Record<string, number> = {
  curve: 60,
  best: 40,
  param: 30,
  metric: 20,
  state: 20,
  where: 40,
  gpu: 40,
};

const total = (columns: readonly Column[]): number =>
  columns.reduce((sum, column) => sum + column.width, 0);

function wanted(column: Column, prefs: Prefs): boolean {
  if (FIXED.has(column.kind)) return true;
  return prefs.get(column.key) ?? (column.auto && !preferences.hidden.includes(column.label));
}

function nextToGo(columns: readonly Column[], prefs: Prefs): Column | null {
  let worst: Column | null = null;
  let rank = 0;
  for (const column of columns) {
    const asked = prefs.get(column.key) ? 100 : 0;
    const score = FIXED.has(column.kind) ? 0 : column.drop;
    if (score > 0 && !asked && score >= rank) [worst, rank] = [column, score];
  }
  return worst;
}

function grow(columns: Column[], room: number): Column[] {
  const most = columns.map((column) => GROWS[column.kind] ?? 0);
  const sum = most.reduce((a, b) => a + b, 0);
  const part = sum ? Math.min(1, room / sum) : 0;
  return columns.map((column, i) => ({
    ...column,
    width: column.width + Math.floor((most[i] ?? 0) * part),
  }));
}

/** Columns asked for in the menu stay; the table then scrolls sideways. */
export function layoutColumns(all: readonly Column[], prefs: Prefs, width: number): Column[] {
  let shown = all.filter((column) => wanted(column, prefs));
  while (total(shown) > width) {
    const gone = nextToGo(shown, prefs);
    if (!gone) break;
    shown = shown.filter((column) => column !== gone);
  }
  return grow(shown, Math.max(0, width - total(shown)));
}

/** The last column takes what is left, as in the template of a CSS grid. */
export function gridTemplate(columns: readonly Column[]): string {
  const last = columns.length - 1;
  return columns
    .map(({ width }, i) => (i === last ? `minmax(${width}px,1fr)` : `${width}px`))
    .join(" ");
}
