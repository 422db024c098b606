/** A question in the place of the toolbar, so that no row moves. */
import { h } from "./dom";
import type { Question } from "./words";

export class Ask {
  readonly element = h("div", { class: "gg-ask", role: "alertdialog" });
  private back: HTMLElement | null = null;

  constructor() {
    this.element.hidden = true;
    this.element.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") this.close();
    });
  }

  get open(): boolean {
    return !this.element.hidden;
  }

  ask({ text, yes, no }: Question, then: () => void): void {
    this.back = document.activeElement as HTMLElement | null;
    const stop = h("button", { type: "button", class: "gg-p" }, yes);
    const keep = h("button", { type: "button" }, no);
    this.element.setAttribute("aria-label", text);
    this.element.replaceChildren(h("span", {}, text), h("span", { class: "gg-sp" }), stop, keep);
    this.element.hidden = false;
    stop.addEventListener("click", () => {
      this.close();
      then();
    });
    keep.addEventListener("click", () => this.close());
    keep.focus();
  }

  close(): void {
    this.element.hidden = true;
    this.back?.focus({ preventScroll: true });
    this.back = null;
  }
}
