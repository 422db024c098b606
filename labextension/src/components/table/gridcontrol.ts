/** What the grid and its keyboard know of each other. */
import type { Line } from "./lines";

/** What can be done with one row of the table. */
export type RowAction = "open" | "notebook" | "log" | "retry" | "stop";

/** What a user asks for in the grid; the table answers. */
export interface GridEvents {
  /** Sorts by the column with this key, or turns its order around. */
  sort(key: string): void;
  act(action: RowAction, line: Line): void;
  /** Opens or closes the repeats of one point. */
  toggleGroup(line: Line): void;
  select(lines: readonly Line[], on: boolean): void;
  isSelected(line: Line): boolean;
  /** Goes to the filter box. */
  search(): void;
  /** Empties the filter; without one, the selection. */
  clear(): void;
  /** Neither the pointer nor the focus is in the grid any more. */
  released(): void;
}

/** What the keyboard moves: the lines of the grid and its header. */
export interface GridControl {
  readonly events: GridEvents;
  readonly lines: readonly Line[];
  readonly head: {
    /** Focuses the header of the column with this key, or the first one that sorts. */
    focus(key: string | null): void;
    /** Moves the focus from one header to the one `by` places to the right. */
    step(from: HTMLElement, by: number): void;
  };
  /** The index of the line that has the tab stop. */
  index(): number;
  /** The number of lines that Page Up and Page Down move. */
  page(): number;
  focusLine(index: number): void;
  /** The line that an event happened in, or null outside of the lines. */
  lineOf(event: Event): Line | null;
  /** The element of a row that does `action`, or null where the row does not offer it. */
  actionOf(key: string, action: RowAction): HTMLElement | null;
}
