/** A question in the place of the toolbar, so that no row moves. */
import { h } from "./dom";

export interface Question {
  text: string;
  yes: string;
  no: string;
}

const MOST = 100_000;

export class QuestionBar {
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

  /** Asks for a whole number; the box keeps the focus until it is one. */
  askNumber({ text, yes, no }: Question, start: number, then: (count: number) => void): void {
    this.back = document.activeElement as HTMLElement | null;
    const box = h("input", { type: "number", min: 1, max: MOST, step: 1, "aria-label": text });
    const add = h("button", { type: "button", class: "gg-p" }, yes);
    const leave = h("button", { type: "button" }, no);
    box.value = String(start);
    this.element.setAttribute("aria-label", text);
    this.element.replaceChildren(h("span", {}, text), box, add, leave);
    this.element.hidden = false;
    const send = (): void => this.acceptNumber(box, then);
    add.addEventListener("click", send);
    box.addEventListener("keydown", (event) => event.key === "Enter" && send());
    leave.addEventListener("click", () => this.close());
    box.focus();
    box.select();
  }

  private acceptNumber(box: HTMLInputElement, then: (count: number) => void): void {
    const count = Number(box.value);
    if (!Number.isInteger(count) || count < 1 || count > MOST) {
      box.setAttribute("aria-invalid", "true");
      return box.focus();
    }
    this.close();
    then(count);
  }

  close(): void {
    this.element.hidden = true;
    this.back?.focus({ preventScroll: true });
    this.back = null;
  }
}
