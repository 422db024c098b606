/** The few ways in which the table makes elements. Text is only ever text. */

type Child = Node | string | null;
type Attributes = Record<string, string | number | boolean | null>;

export function setAttributes(element: Element, wanted: Attributes): void {
  for (const [name, value] of Object.entries(wanted)) {
    if (value === null || value === false) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  wanted: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  setAttributes(element, wanted);
  element.append(...children.filter((child) => child !== null));
  return element;
}

export function svg(tag: string, wanted: Attributes = {}, ...children: Node[]): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  setAttributes(element, wanted);
  element.append(...children);
  return element;
}

/** Draws again only when what it shows has changed, so that focus and hover stay. */
export function drawIfChanged(
  element: Element,
  signature: string,
  children: () => Child[],
): boolean {
  const known = element as Element & { ggShown?: string };
  if (known.ggShown === signature) return false;
  known.ggShown = signature;
  element.replaceChildren(...children().filter((child) => child !== null));
  return true;
}

export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function button(
  label: string,
  content: Child[],
  wanted: Attributes = {},
): HTMLButtonElement {
  return h("button", { type: "button", "aria-label": label, title: label, ...wanted }, ...content);
}

/** The nearest element around an event's target that carries an attribute. */
export function near(event: Event, selector: string): HTMLElement | null {
  return event.target instanceof Element ? event.target.closest<HTMLElement>(selector) : null;
}
