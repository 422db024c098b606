/** The keyboard of the tree of scans. */
import { near } from "../ui/dom";
import { modified } from "../ui/keys";

/** Letters typed within so many milliseconds belong to one name. */
const TYPING_PAUSE = 700;
const FOCUSABLE = "[role=treeitem],button";

/** What a user asks for in the tree; the panel answers. */
export interface TreeEvents {
  /** Opens the filter box. */
  search(): void;
  /** Closes the filter box. */
  clear(): void;
}

/** Gives the tree one tab stop; the arrow keys reach every line and every button in it. */
export class TreeKeys {
  /** The element that has the tab stop. */
  private active: HTMLElement | null = null;
  /** The start of a name that was typed, and when its last letter came. */
  private typed = "";
  private typedAt = -Infinity;

  constructor(
    private readonly root: HTMLElement,
    private readonly events: TreeEvents,
  ) {
    root.addEventListener("keydown", (event) => this.down(event));
    root.addEventListener("focusin", (event) => {
      const target = near(event, FOCUSABLE);
      if (target && !near(event, ".gg-ask,.gg-popup")) this.enter(target);
    });
  }

  /** To be called after a drawing: the tab stop stays, or goes to the first line. */
  settle(): void {
    if (this.active && this.root.contains(this.active)) return;
    this.active = null;
    const [first] = this.stops();
    if (first) this.enter(first);
  }

  /** Focuses the element that has the tab stop. */
  focus(): void {
    this.settle();
    this.active?.focus();
  }

  private enter(target: HTMLElement): void {
    if (this.active && this.active !== target) this.active.tabIndex = -1;
    this.active = target;
    target.tabIndex = 0;
  }

  /** The lines that the arrow keys stop at. */
  private stops(): HTMLElement[] {
    const all = [...this.root.querySelectorAll<HTMLElement>("[data-stop]")];
    return all.filter((stop) => !stop.closest("[hidden]"));
  }

  private go(stop: HTMLElement | undefined): boolean {
    const target = stop?.matches(FOCUSABLE) ? stop : stop?.querySelector<HTMLElement>("button");
    target?.focus();
    return true;
  }

  private down(event: KeyboardEvent): void {
    // A question, a menu and a log inside of the tree have keys of their own.
    if (modified(event) || near(event, ".gg-ask,.gg-popup,pre")) return;
    const stop = near(event, "[data-stop]");
    if (!stop || !this.key(event, stop)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Does what a key stands for; returns whether it stands for something. */
  private key(event: KeyboardEvent, stop: HTMLElement): boolean {
    const all = this.stops();
    const index = all.indexOf(stop);
    switch (event.key) {
      case "ArrowDown":
        return this.go(all[index + 1]);
      case "ArrowUp":
        return this.go(all[index - 1]);
      case "Home":
        return this.go(all[0]);
      case "End":
        return this.go(all[all.length - 1]);
      case "ArrowRight":
        return this.right(event, stop, all[index + 1]);
      case "ArrowLeft":
        return this.left(event, stop);
      default:
        return this.other(event, stop, all);
    }
  }

  private other(event: KeyboardEvent, stop: HTMLElement, all: HTMLElement[]): boolean {
    const { key, target } = event;
    if (key === "Enter" || key === " ") return target === stop && this.press(stop);
    if (key === "/") this.events.search();
    else if (key === "Escape") this.events.clear();
    else return key.length === 1 && this.type(key, stop, all);
    return true;
  }

  private press(stop: HTMLElement): boolean {
    stop.click();
    return true;
  }

  /** Opens a line. In an open one it goes to the next button, or else to the next line. */
  private right(event: KeyboardEvent, stop: HTMLElement, next: HTMLElement | undefined): boolean {
    if (event.target === stop && stop.getAttribute("aria-expanded") === "false")
      return this.press(stop);
    const buttons = this.buttons(stop);
    const index = buttons.indexOf(event.target as HTMLElement);
    const beside = buttons[index + 1];
    if (beside) beside.focus();
    else if (event.target === stop) this.go(next);
    return true;
  }

  /** Goes back to the line, and from the line to its scan; closes a line that is open. */
  private left(event: KeyboardEvent, stop: HTMLElement): boolean {
    const buttons = this.buttons(stop);
    const index = buttons.indexOf(event.target as HTMLElement);
    if (index > 0) buttons[index - 1]?.focus();
    else if (index === 0 && stop.matches("[role=treeitem]")) stop.focus();
    else if (index < 0 && stop.getAttribute("aria-expanded") === "true") this.press(stop);
    else stop.closest(".gg-sc")?.querySelector<HTMLElement>("[role=treeitem]")?.focus();
    return true;
  }

  /** The buttons of a line itself, not those of lines within it. */
  private buttons(stop: HTMLElement): HTMLElement[] {
    const all = [...stop.querySelectorAll<HTMLElement>("button")];
    return all
      .filter((button) => button.closest("[data-stop]") === stop)
      .filter((button) => !button.closest("[role=menu],[hidden]"));
  }

  /** Goes to the next scan or job whose name begins with what was typed. */
  private type(key: string, stop: HTMLElement, all: HTMLElement[]): boolean {
    const now = performance.now();
    const before = now - this.typedAt < TYPING_PAUSE ? this.typed : "";
    this.typed = before + key.toLowerCase();
    this.typedAt = now;
    // A first letter leads away from the line; further ones may still fit to it.
    const from = all.indexOf(stop) + Number(before === "");
    const fromHere = [...all.slice(from), ...all.slice(0, from)];
    const name = ({ dataset }: HTMLElement): string => dataset["name"] ?? dataset["job"] ?? "";
    const found = fromHere.find((line) => name(line).toLowerCase().startsWith(this.typed));
    if (found) this.go(found);
    return found !== undefined;
  }
}
