/** The keyboard of the grid. Pure but for reading the event. */

export const MOVES: ReadonlySet<string> = new Set([
  "ArrowUp",
  "ArrowDown",
  "Home",
  "End",
  "PageUp",
  "PageDown",
]);

/** The line a movement leads to; -1 is the header. */
export function target(key: string, index: number, count: number, page: number): number {
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

/** `O` notebook, `L` log, `R` run again, `S` stop. */
export const letter = (key: string): "notebook" | "log" | "retry" | "stop" | undefined =>
  Object.hasOwn(LETTERS, key.toLowerCase()) ? LETTERS[key.toLowerCase()] : undefined;

export const modified = (event: KeyboardEvent): boolean =>
  event.ctrlKey || event.metaKey || event.altKey;
