/** A question that stands in the place of a toolbar, so that no row moves while it is open. */
import { h, setAttributes } from "./dom";

/** The largest number that can be asked for. */
const LARGEST = 100_000;

/** A question and the texts of its two buttons. */
export interface Question {
  text: string;
  yes: string;
  no: string;
}

/** Asks one question at a time and hides itself once there is an answer. */
export class QuestionBar {
  readonly element = h("div", { class: "gg-ask", role: "alertdialog" });
  /** What had the focus before the question came. */
  private focusedBefore: HTMLElement | null = null;

  constructor() {
    this.element.hidden = true;
    this.element.addEventListener("keydown", (event) => {
      // The keys of the component around are not for the question.
      event.stopPropagation();
      if (event.key === "Escape") this.close();
    });
  }

  /** Whether a question waits for its answer. */
  get open(): boolean {
    return !this.element.hidden;
  }

  /** Asks; calls `then` if the answer is yes. */
  ask({ text, yes, no }: Question, then: () => void): void {
    const accept = h("button", { type: "button", class: "gg-p" }, yes);
    const refuse = h("button", { type: "button" }, no);
    this.show(text, h("span", {}, text), h("span", { class: "gg-sp" }), accept, refuse);
    accept.addEventListener("click", () => {
      this.close();
      then();
    });
    refuse.addEventListener("click", () => this.close());
    // Enter alone must lose no work, so the focus is on the answer that changes nothing.
    refuse.focus();
  }

  /** Asks for a whole number from 1 on; the box keeps the focus until it holds one. */
  askNumber({ text, yes, no }: Question, start: number, then: (count: number) => void): void {
    const limits = { min: 1, max: LARGEST, step: 1 };
    const box = h("input", { type: "number", ...limits, "aria-label": text });
    const accept = h("button", { type: "button", class: "gg-p" }, yes);
    const refuse = h("button", { type: "button" }, no);
    box.value = String(start);
    this.show(text, h("span", {}, text), box, accept, refuse);
    const send = (): void => this.acceptNumber(box, then);
    accept.addEventListener("click", send);
    box.addEventListener("keydown", (event) => event.key === "Enter" && send());
    refuse.addEventListener("click", () => this.close());
    box.focus();
    box.select();
  }

  /** Hides the question and gives the focus back. */
  close(): void {
    this.element.hidden = true;
    this.focusedBefore?.focus({ preventScroll: true });
    this.focusedBefore = null;
  }

  private show(label: string, ...content: Node[]): void {
    this.focusedBefore = document.activeElement as HTMLElement | null;
    setAttributes(this.element, { "aria-label": label });
    this.element.replaceChildren(...content);
    this.element.hidden = false;
  }

  private acceptNumber(box: HTMLInputElement, then: (count: number) => void): void {
    const count = Number(box.value);
    if (!Number.isInteger(count) || count < 1 || count > LARGEST) {
      box.setAttribute("aria-invalid", "true");
      return box.focus();
    }
    this.close();
    then(count);
  }
}
