/** The keyboard of the grid, and whose keys are whose. */

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
