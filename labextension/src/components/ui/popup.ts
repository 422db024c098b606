/** A small menu behind a button with three dots. */
import { button, h } from "./dom";
import { t } from "./i18n";
import { icon } from "./icons";

/** One entry of a menu. */
export interface MenuItem {
  text: string;
  act(): void;
}

/** The index that a key leads to, from the index of the focused entry. */
const STEPS: Record<string, (index: number, count: number) => number> = {
  ArrowDown: (index, count) => (index + 1) % count,
  ArrowUp: (index, count) => (index + count - 1) % count,
  Home: () => 0,
  End: (_, count) => count - 1,
};

/** The button and its menu. The entries are asked for each time the menu opens. */
export class PopupMenu {
  readonly button: HTMLButtonElement;
  private readonly list: HTMLElement;
  readonly element: HTMLElement;

  /** Several menus on a page have labels that differ; with a `text`, the button shows it. */
  constructor(
    private readonly items: () => MenuItem[],
    label = t("More"),
    text = "",
  ) {
    this.button = button(label, text ? [icon("plus"), text] : [icon("more")], {
      ...{ class: text ? null : "gg-i", "aria-haspopup": "menu", "aria-expanded": "false" },
    });
    this.list = h("div", { class: "gg-popup", role: "menu", "aria-label": label });
    this.element = h("span", { class: "gg-pop" }, this.button, this.list);
    this.list.hidden = true;
    this.button.addEventListener("click", () => this.show(!this.shown));
    this.list.addEventListener("keydown", (event) => this.key(event));
    // The new focus is known only after the event, so the check waits for that.
    this.element.addEventListener("focusout", () => setTimeout(() => this.closeIfLeft()));
  }

  /** Whether the menu is open. */
  get shown(): boolean {
    return !this.list.hidden;
  }

  /** Opens the menu and focuses its first entry, or closes it. */
  show(on: boolean): void {
    this.list.hidden = !on;
    this.button.setAttribute("aria-expanded", String(on));
    if (!on) return;
    this.list.replaceChildren(...this.items().map((item) => this.entry(item)));
    this.focus(0);
  }

  private entry({ text, act }: MenuItem): HTMLElement {
    const entry = h("button", { type: "button", role: "menuitem", tabindex: -1 }, text);
    entry.addEventListener("click", () => {
      this.close();
      act();
    });
    return entry;
  }

  private close(): void {
    this.show(false);
    this.button.focus({ preventScroll: true });
  }

  private closeIfLeft(): void {
    if (!this.element.contains(document.activeElement)) this.show(false);
  }

  private focus(index: number): void {
    (this.list.children[index] as HTMLElement | undefined)?.focus();
  }

  private key(event: KeyboardEvent): void {
    event.stopPropagation();
    const { children } = this.list;
    const step = Object.hasOwn(STEPS, event.key) ? STEPS[event.key] : undefined;
    const index = [...children].indexOf(document.activeElement as Element);
    if (step) this.focus(step(index, children.length));
    else if (event.key === "Escape") this.close();
    else return;
    event.preventDefault();
  }
}
