/** Which keys belong to a component and which to the page around it. */

/** Whether Ctrl, Cmd or Alt is held: such keys are the page's. */
export const modified = (event: KeyboardEvent): boolean =>
  event.ctrlKey || event.metaKey || event.altKey;

/**
 * Keeps JupyterLab's shortcuts from taking the keys that are pressed inside an element.
 *
 * Otherwise Enter, arrows and letters would act on the notebook around it. JupyterLab looks for
 * the attribute on the element that has the focus. It is taken away while Ctrl or Cmd is held, so
 * that Ctrl+S still saves the notebook.
 */
export function keepKeys(element: HTMLElement): void {
  const mark = (event: Event): void => {
    const { ctrlKey, metaKey } = event as Partial<KeyboardEvent>;
    const ours = !ctrlKey && !metaKey;
    (event.target as Element).toggleAttribute("data-lm-suppress-shortcuts", ours);
  };
  for (const kind of ["focusin", "keydown", "keyup"]) element.addEventListener(kind, mark);
}
