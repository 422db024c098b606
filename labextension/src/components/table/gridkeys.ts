/** The keys that work while the focus is in the grid. */
import { near } from "../ui/dom";
import { modified } from "../ui/keys";
import type { GridControl } from "./gridcontrol";
import type { Line } from "./lines";

const MOVES: ReadonlySet<string> = new Set([
  "ArrowUp",
  "ArrowDown",
  "Home",
  "End",
  "PageUp",
  "PageDown",
]);

/** The index of the line that a key leads to; -1 is the header. */
function indexAfter(key: string, index: number, count: number, page: number): number {
  const last = count - 1;
  switch (key) {
    case "ArrowUp":
      return index - 1;
    case "ArrowDown":
      return Math.min(last, index + 1);
    case "PageUp":
      return Math.max(0, index - page);
    case "PageDown":
      return Math.min(last, index + page);
    case "Home":
      return 0;
    case "End":
      return last;
    default:
      return index;
  }
}

const LETTERS: Record<string, "notebook" | "log" | "retry" | "stop"> = {
  o: "notebook",
  l: "log",
  r: "retry",
  s: "stop",
};

/** The action of a letter: O opens the notebook, L the log, R runs again, S stops. */
function actionOfLetter(key: string): (typeof LETTERS)[string] | undefined {
  const letter = key.toLowerCase();
  return Object.hasOwn(LETTERS, letter) ? LETTERS[letter] : undefined;
}

/** Moves the focus in a grid and does what keys stand for. Methods return if they took a key. */
export class GridKeys {
  constructor(private readonly grid: GridControl) {}

  /** Takes a key, and keeps it from the page if it means something here. */
  down(event: KeyboardEvent): void {
    if (modified(event)) return;
    const header = near(event, "[role=columnheader]");
    const taken = header ? this.inHead(event, header) : this.inRow(event);
    if (!taken) return;
    event.preventDefault();
    event.stopPropagation();
  }

  private inHead(event: KeyboardEvent, header: HTMLElement): boolean {
    const { grid } = this;
    switch (event.key) {
      case "ArrowLeft":
        grid.head.step(header, -1);
        return true;
      case "ArrowRight":
        grid.head.step(header, 1);
        return true;
      case "ArrowDown":
        grid.focusLine(grid.index());
        return true;
      case "Enter":
      case " ":
        grid.events.sort(header.dataset["key"] ?? "");
        return true;
      default:
        return this.anywhere(event);
    }
  }

  private anywhere(event: KeyboardEvent): boolean {
    if (event.key === "/") this.grid.events.search();
    else if (event.key === "Escape") this.grid.events.clear();
    else return false;
    return true;
  }

  private inRow(event: KeyboardEvent): boolean {
    const line = this.grid.lineOf(event);
    if (!line) return false;
    if (MOVES.has(event.key)) return this.move(event);
    const action = near(event, ".gg-act > *");
    return action ? this.inActions(event, action, line) : this.onLine(event, line);
  }

  private move(event: KeyboardEvent): boolean {
    const { grid } = this;
    const from = grid.index();
    const to = indexAfter(event.key, from, grid.lines.length, grid.page());
    if (to < 0) grid.head.focus(null);
    else grid.focusLine(to);
    if (event.shiftKey && to >= 0) {
      grid.events.select(grid.lines.slice(Math.min(from, to), Math.max(from, to) + 1), true);
    }
    return true;
  }

  private onLine(event: KeyboardEvent, line: Line): boolean {
    const { events } = this.grid;
    switch (event.key) {
      case " ":
        events.select([line], !events.isSelected(line));
        return true;
      case "Enter":
        return this.open(event, line);
      case "ArrowRight":
        return this.right(event, line);
      case "ArrowLeft":
        return this.left(event, line);
      default:
        return this.letters(event, line) || this.anywhere(event);
    }
  }

  private open(event: KeyboardEvent, line: Line): boolean {
    // Enter on a link is for the browser.
    if (near(event, "a")) return false;
    if (line.isGroup) this.grid.events.toggleGroup(line);
    else this.grid.events.act("open", line);
    return true;
  }

  private isOpen(event: KeyboardEvent): boolean {
    return near(event, ".gg-row")?.getAttribute("aria-expanded") === "true";
  }

  private right(event: KeyboardEvent, line: Line): boolean {
    if (line.isGroup && !this.isOpen(event)) this.grid.events.toggleGroup(line);
    else near(event, ".gg-row")?.querySelector<HTMLElement>(".gg-act > *")?.focus();
    return true;
  }

  private left(event: KeyboardEvent, line: Line): boolean {
    if (line.isGroup && this.isOpen(event)) this.grid.events.toggleGroup(line);
    return true;
  }

  private inActions(event: KeyboardEvent, action: HTMLElement, line: Line): boolean {
    const row = near(event, ".gg-row");
    const next = {
      ArrowRight: action.nextElementSibling,
      ArrowLeft: action.previousElementSibling ?? row,
    }[event.key];
    if (next instanceof HTMLElement) next.focus();
    else if (event.key === "Escape") row?.focus();
    // At the last action the right arrow does nothing, and it must not scroll the page.
    else return event.key === "ArrowRight" || this.letters(event, line);
    return true;
  }

  private letters(event: KeyboardEvent, line: Line): boolean {
    const action = actionOfLetter(event.key);
    const found = action ? this.grid.actionOf(line.key, action) : null;
    found?.click();
    return found !== null;
  }
}
