/** The keyboard of the grid, and whose keys are whose. */

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

/**
 * Keeps the keys that are pressed inside an element from JupyterLab's shortcuts: else our Enter, arrows and letters would go to
 * the notebook around. JupyterLab looks first at what has the focus, so that is what says so. While Ctrl or Cmd is held
 * they are not ours, so that the notebook is saved as ever.
 */
export function keepKeys(element: HTMLElement): void {
  const keep = (event: Event): void => {
    const { ctrlKey, metaKey } = event as Partial<KeyboardEvent>;
    const ours = !ctrlKey && !metaKey;
    (event.target as Element).toggleAttribute("data-lm-suppress-shortcuts", ours);
  };
  for (const kind of ["focusin", "keydown", "keyup"]) element.addEventListener(kind, keep);
}
