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

const moreButton = (): HTMLElement =>
  button(t("More"), [icon("more")], { class: "gg-i", "aria-haspopup": "menu" });

/** The button and its menu. The entries are asked for each time the menu opens. */
export class PopupMenu {
  readonly element: HTMLElement;
  private readonly list: HTMLElement;

  constructor(
    private readonly items: () => MenuItem[],
    readonly button = moreButton(),
    label = t("More"),
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
    if (!on) return;
    const items = this.items();
    this.list.replaceChildren(...items.map((item) => this.entry(item)));
    this.focus(
      Math.max(
        0,
        items.findIndex(({ checked }) => checked),
      ),
    );
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
