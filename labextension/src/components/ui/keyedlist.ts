/** A list whose elements stay while their keys do, so that focus and hover stay too. */

export interface ListItems<T> {
  key(item: T): string;
  /** Makes the element, or changes the one there is. */
  draw(item: T, old: HTMLElement | null): HTMLElement;
}

type Listed = HTMLElement & { ggKey?: string };

export function updateList<T>(
  parent: HTMLElement,
  items: readonly T[],
  { key, draw }: ListItems<T>,
): void {
  const children = [...parent.children] as Listed[];
  const known = new Map(children.map((child) => [child.ggKey, child]));
  const focused = document.activeElement;
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    const element: Listed = draw(item, known.get(name) ?? null);
    element.ggKey = name;
    known.delete(name);
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  for (const gone of known.values()) gone.remove();
  back(parent, focused);
}

/** An element that was moved has lost its focus. */
function back(parent: HTMLElement, focused: Element | null): void {
  if (focused === document.activeElement || !(focused instanceof HTMLElement)) return;
  if (parent.contains(focused)) focused.focus({ preventScroll: true });
}
