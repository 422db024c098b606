/** Warnings: what may not be meant, a line each. */
import { drawIfChanged, h } from "./dom";
import { icon } from "./icons";

/** Draws warnings into an element, which is hidden without any. */
export function drawWarnings(element: HTMLElement, texts: readonly string[]): void {
  element.hidden = !texts.length;
  drawIfChanged(element, JSON.stringify(texts), () =>
    texts.map((text) => h("p", {}, icon("lost"), h("span", {}, text))),
  );
}
