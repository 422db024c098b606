/**
 * The few ways in which components make and change elements.
 *
 * A text never becomes markup, and all texts that people read pass through `shown`.
 */
import { shown } from "./text";

type Child = Node | string | null;
type Attributes = Record<string, string | number | boolean | null>;

/** Attributes that people read. */
const READ = new Set(["title", "aria-label", "placeholder"]);

/** Sets attributes; `true` is an empty one, `null` and `false` remove it. */
export function setAttributes(element: Element, wanted: Attributes): void {
  for (const [name, value] of Object.entries(wanted)) {
    if (value === null || value === false) element.removeAttribute(name);
    else if (value === true) element.setAttribute(name, "");
    else element.setAttribute(name, READ.has(name) ? shown(String(value)) : String(value));
  }
}

/** Makes a node of a text. */
export const textNode = (text: string): Text => document.createTextNode(shown(text));

const nodes = (children: readonly Child[]): Node[] =>
  children
    .filter((child) => child !== null)
    .map((child) => (typeof child === "string" ? textNode(child) : child));

/** Makes an HTML element with attributes and children; a child that is null is left out. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  wanted: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  setAttributes(element, wanted);
  element.append(...nodes(children));
  return element;
}

/** Makes an SVG element. */
export function svg(tag: string, wanted: Attributes = {}, ...children: Node[]): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  setAttributes(element, wanted);
  element.append(...children);
  return element;
}

/**
 * Replaces the children of an element if its signature differs from the last one; returns whether.
 *
 * `signature` has to hold everything that `children` shows. Elements that stay keep the focus and
 * the pointer that hovers over them, which new ones would lose.
 */
export function drawIfChanged(
  element: Element,
  signature: string,
  children: () => Child[],
): boolean {
  const known = element as Element & { ggShown?: string };
  if (known.ggShown === signature) return false;
  known.ggShown = signature;
  element.replaceChildren(...nodes(children()));
  return true;
}

/** Sets the text of an element, and touches nothing where it is the same. */
export function setText(element: Element, text: string): void {
  const wanted = shown(text);
  if (element.textContent !== wanted) element.textContent = wanted;
}

/** Makes a button; its label is its name for screen readers and its tooltip. */
export function button(
  label: string,
  content: Child[],
  wanted: Attributes = {},
): HTMLButtonElement {
  return h("button", { type: "button", "aria-label": label, title: label, ...wanted }, ...content);
}

/** The nearest element around the target of an event that matches a selector. */
export function near(event: Event, selector: string): HTMLElement | null {
  return event.target instanceof Element ? event.target.closest<HTMLElement>(selector) : null;
}
