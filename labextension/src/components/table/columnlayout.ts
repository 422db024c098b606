/** Which columns fit into a width, and how wide they become. */
import { preferences } from "../scan/preferences";
import type { Column } from "./columns";

/** What a user chose in the menu of the columns: shown or hidden, by the keys of columns. */
export type ColumnChoices = ReadonlyMap<string, boolean>;

/** Columns that are always shown. */
export const FIXED: ReadonlySet<string> = new Set(["select", "id", "state", "objective"]);

/** How many pixels wider a column becomes where there is room. */
const GROWS: Record<string, number> = {
  curve: 60,
  best: 40,
  param: 30,
  metric: 20,
  state: 20,
  where: 40,
  gpu: 40,
};

const totalWidth = (columns: readonly Column[]): number =>
  columns.reduce((sum, column) => sum + column.width, 0);

function isWanted(column: Column, choices: ColumnChoices): boolean {
  if (FIXED.has(column.kind)) return true;
  return choices.get(column.key) ?? (column.auto && !preferences.hidden.includes(column.label));
}

/** The column to hide first; null where none may be hidden. */
function nextToHide(columns: readonly Column[], choices: ColumnChoices): Column | null {
  let next: Column | null = null;
  let highest = 0;
  for (const column of columns) {
    // What the user asked for stays; the table then scrolls sideways.
    if (FIXED.has(column.kind) || column.drop === 0 || choices.get(column.key)) continue;
    // Of equal ones the rightmost goes first.
    if (column.drop < highest) continue;
    next = column;
    highest = column.drop;
  }
  return next;
}

function grow(columns: Column[], room: number): Column[] {
  const most = columns.map(({ kind }) => GROWS[kind] ?? 0);
  const sum = most.reduce((a, b) => a + b, 0);
  const fraction = sum ? Math.min(1, room / sum) : 0;
  return columns.map((column, i) => {
    const more = Math.floor((most[i] ?? 0) * fraction);
    return { ...column, width: column.width + more };
  });
}

/** The columns that are shown in a width in pixels, with the widths that they have there. */
export function layoutColumns(
  all: readonly Column[],
  choices: ColumnChoices,
  width: number,
): Column[] {
  let shown = all.filter((column) => isWanted(column, choices));
  while (totalWidth(shown) > width) {
    const hidden = nextToHide(shown, choices);
    if (!hidden) break;
    shown = shown.filter((column) => column !== hidden);
  }
  return grow(shown, Math.max(0, width - totalWidth(shown)));
}

/** The columns as the template of a CSS grid; the last one takes what is left. */
export function gridTemplate(columns: readonly Column[]): string {
  const last = columns.length - 1;
  return columns
    .map(({ width }, i) => (i === last ? `minmax(${width}px,1fr)` : `${width}px`))
    .join(" ");
}
