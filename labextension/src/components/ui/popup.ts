/** A small menu behind a button with three dots. */
import { button, h } from "./dom";
import { t } from "./i18n";
import { icon } from "./icons";

export interface MenuItem {
  text: string;
  act(): void;
}

const STEPS: Record<string, (at: number, count: number) => number> = {
  ArrowDown: (at, count) => (at + 1) % count,
  ArrowUp: (at, count) => (at + count - 1) % count,
  Home: () => 0,
  End: (_, count) => count - 1,
};

export class PopupMenu {
  readonly button = button(t("More"), [icon("more")], {
    class: "gg-i",
    "aria-haspopup": "menu",
    "aria-expanded": "false",
  });
  private readonly list = h("div", { class: "gg-popup", role: "menu", "aria-label": t("More") });
  readonly element = h("span", { class: "gg-pop" }, this.button, this.list);

  constructor(private readonly items: () => MenuItem[]) {
    this.list.hidden = true;
    this.button.addEventListener("click", () => this.show(!this.shown));
    this.list.addEventListener("keydown", (event) => this.key(event));
    this.element.addEventListener("focusout", () => setTimeout(() => this.left()));
  }

  get shown(): boolean {
    return !this.list.hidden;
  }

  show(on: boolean): void {
    this.list.hidden = !on;
    this.button.setAttribute("aria-expanded", String(on));
    if (!on) return;
    this.list.replaceChildren(...this.items().map((item) => this.choice(item)));
    this.focus(0);
  }

  private choice({ text, act }: MenuItem): HTMLElement {
    const choice = h("button", { type: "button", role: "menuitem", tabindex: -1 }, text);
    choice.addEventListener("click", () => {
      this.close();
      act();
    });
    return choice;
  }

  private close(): void {
    this.show(false);
    this.button.focus({ preventScroll: true });
  }

  private left(): void {
    if (!this.element.contains(document.activeElement)) this.show(false);
  }

  private focus(index: number): void {
    (this.list.children[index] as HTMLElement | undefined)?.focus();
  }

  private key(event: KeyboardEvent): void {
    event.stopPropagation();
    const { children } = this.list;
    const step = Object.hasOwn(STEPS, event.key) ? STEPS[event.key] : undefined;
    const at = [...children].indexOf(document.activeElement as Element);
    if (step) this.focus(step(at, children.length));
    else if (event.key === "Escape") this.close();
    else return;
    event.preventDefault();
  }
}
