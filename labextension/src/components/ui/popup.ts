/** A small menu behind a button: one with three dots, or another one. */
import { button, h, setAttributes } from "./dom";
import { t } from "./i18n";
import { icon } from "./icons";

/** One entry of a menu. */
export interface MenuItem {
  text: string;
  act(): void;
  /** Whether the entry is chosen, where the entries are a choice of one. */
  checked?: boolean;
}

/** The index that a key leads to, from the index of the focused entry. */
const STEPS: Record<string, (index: number, count: number) => number> = {
  ArrowDown: (index, count) => (index + 1) % count,
  ArrowUp: (index, count) => (index + count - 1) % count,
  Home: () => 0,
  End: (_, count) => count - 1,
};

/** An element that cuts off what is below it, and may become higher instead. */
const GROWS = "[data-grows]";

const bottomOf = (element: Element): number => element.getBoundingClientRect().bottom;

const moreButton = (label: string): HTMLElement =>
  button(label, [icon("more")], { class: "gg-i", "aria-haspopup": "menu" });

/** The button and its menu. The entries are asked for each time the menu opens. */
export class PopupMenu {
  readonly element: HTMLElement;
  private readonly list: HTMLElement;

  /** Several menus on a page have labels that differ. */
  constructor(
    private readonly items: () => MenuItem[],
    label = t("More"),
    readonly button = moreButton(label),
  ) {
    this.list = h("div", { class: "gg-popup", role: "menu", "aria-label": label });
    this.element = h("span", { class: "gg-pop" }, button, this.list);
    this.list.hidden = true;
    setAttributes(button, { "aria-expanded": "false" });
    this.button.addEventListener("click", () => this.show(!this.shown));
    this.list.addEventListener("keydown", (event) => this.key(event));
    // The new focus is known only after the event, so the check waits for that.
    this.element.addEventListener("focusout", () => setTimeout(() => this.closeIfLeft()));
  }

  /** Whether the menu is open. */
  get shown(): boolean {
    return !this.list.hidden;
  }

  /** Opens the menu and focuses its chosen or its first entry, or closes it. */
  show(on: boolean): void {
    this.list.hidden = !on;
    this.button.setAttribute("aria-expanded", String(on));
    this.grow(0);
    if (!on) return;
    const items = this.items();
    this.list.replaceChildren(...items.map((item) => this.entry(item)));
    const around = this.element.closest(GROWS);
    if (around) this.grow(bottomOf(this.list) - bottomOf(around));
    const chosen = items.findIndex(({ checked }) => checked);
    this.focus(Math.max(0, chosen));
  }

  /** Makes what is around the menu so many pixels higher while it is open. */
  private grow(pixels: number): void {
    const around = this.element.closest<HTMLElement>(GROWS);
    if (around) around.style.paddingBottom = pixels > 0 ? `${Math.ceil(pixels)}px` : "";
  }

  private entry({ text, act, checked }: MenuItem): HTMLElement {
    const chosen = checked === undefined ? null : String(checked);
    const role = chosen === null ? "menuitem" : "menuitemradio";
    const wanted = { type: "button", role, "aria-checked": chosen, tabindex: -1 };
    const entry = h("button", wanted, text);
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
