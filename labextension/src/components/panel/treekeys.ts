/** The keyboard of a tree: one tab stop; arrows reach every line and every button in it. */
import { near } from "../ui/dom";
import { modified } from "../ui/keys";

const PATIENCE = 700;
const FOCUSABLE = "[role=treeitem],button";

export interface TreeEvents {
  search(): void;
  clear(): void;
}

export class TreeKeys {
  private active: HTMLElement | null = null;
  private typed = "";
  private at = -Infinity;

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

  /** After a drawing: the tab stop stays, or goes to the first line. */
  settle(): void {
    if (this.active && this.root.contains(this.active)) return;
    this.active = null;
    const [first] = this.stops();
    if (first) this.enter(first);
  }

  focus(): void {
    this.settle();
    this.active?.focus();
  }

  private enter(target: HTMLElement): void {
    if (this.active && this.active !== target) this.active.tabIndex = -1;
    this.active = target;
    target.tabIndex = 0;
  }

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
    if (modified(event) || near(event, ".gg-ask,.gg-popup,pre")) return;
    const stop = near(event, "[data-stop]");
    if (!stop || !this.key(event, stop)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  private key(event: KeyboardEvent, stop: HTMLElement): boolean {
    const all = this.stops();
    const at = all.indexOf(stop);
    switch (event.key) {
      case "ArrowDown":
        return this.go(all[at + 1]);
      case "ArrowUp":
        return this.go(all[at - 1]);
      case "Home":
        return this.go(all[0]);
      case "End":
        return this.go(all[all.length - 1]);
      case "ArrowRight":
        return this.right(event, stop, all[at + 1]);
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

  /** Opens, else goes on to the next button of the line, else to the next line. */
  private right(event: KeyboardEvent, stop: HTMLElement, next: HTMLElement | undefined): boolean {
    if (event.target === stop && stop.getAttribute("aria-expanded") === "false")
      return this.press(stop);
    const buttons = this.buttons(stop);
    const at = buttons.indexOf(event.target as HTMLElement);
    const beside = buttons[at + 1];
    if (beside) beside.focus();
    else if (event.target === stop) this.go(next);
    return true;
  }

  /** Back to the line, then to its scan; closes what is open. */
  private left(event: KeyboardEvent, stop: HTMLElement): boolean {
    const buttons = this.buttons(stop);
    const at = buttons.indexOf(event.target as HTMLElement);
    if (at > 0) buttons[at - 1]?.focus();
    else if (at === 0 && stop.matches("[role=treeitem]")) stop.focus();
    else if (at < 0 && stop.getAttribute("aria-expanded") === "true") this.press(stop);
    else stop.closest(".gg-sc")?.querySelector<HTMLElement>("[role=treeitem]")?.focus();
    return true;
  }

  /** Those of the line itself, not of lines within it. */
  private buttons(stop: HTMLElement): HTMLElement[] {
    const all = [...stop.querySelectorAll<HTMLElement>("button")];
    return all.filter(
      (one) => one.closest("[data-stop]") === stop && !one.closest("[role=menu],[hidden]"),
    );
  }

  /** To the next scan or job whose name begins with what was typed. */
  private type(key: string, stop: HTMLElement, all: HTMLElement[]): boolean {
    const now = performance.now();
    this.typed = (now - this.at < PATIENCE ? this.typed : "") + key.toLowerCase();
    this.at = now;
    const from = all.indexOf(stop) + +(this.typed.length === 1);
    const turned = [...all.slice(from), ...all.slice(0, from)];
    const name = ({ dataset }: HTMLElement): string => dataset["name"] ?? dataset["job"] ?? "";
    const found = turned.find((one) => name(one).toLowerCase().startsWith(this.typed));
    if (found) this.go(found);
    return found !== undefined;
  }
}
