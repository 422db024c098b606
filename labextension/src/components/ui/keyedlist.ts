/** Lists whose elements stay as long as their keys do, so that focus and hover stay too. */

/** How the items of a list are told apart and drawn. */
export interface ListItems<T> {
  /** A text that is the same for the same item, and unique in its list. */
  key(item: T): string;
  /** Makes the element of an item, or changes the one that the item has. */
  draw(item: T, old: HTMLElement | null): HTMLElement;
}

type ListedElement = HTMLElement & { ggKey?: string };

/** Makes the children of `parent` those of `items`, in their order. */
export function updateList<T>(
  parent: HTMLElement,
  items: readonly T[],
  { key, draw }: ListItems<T>,
): void {
  const children = [...parent.children] as ListedElement[];
  const known = new Map(children.map((child) => [child.ggKey, child]));
  const focused = document.activeElement;
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    const element: ListedElement = draw(item, known.get(name) ?? null);
    element.ggKey = name;
    known.delete(name);
    // An element that stands in its place already is not touched: moving it would take its focus.
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  for (const removed of known.values()) removed.remove();
  restoreFocus(parent, focused);
}

/** Gives the focus back to an element that lost it because it was moved. */
export function restoreFocus(parent: HTMLElement, focused: Element | null): void {
  if (focused === document.activeElement || !(focused instanceof HTMLElement)) return;
  if (parent.contains(focused)) focused.focus({ preventScroll: true });
}
