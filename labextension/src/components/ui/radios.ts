/** One of a few, as a row of buttons: a radiogroup with one tab stop. */
import { drawIfChanged, h, near, setAttributes } from "./dom";
import { clip, full } from "./text";

const MOVES: Record<string, number> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

export class RadioButtons {
  readonly element: HTMLElement;
  private names: readonly string[] = [];
  private chosen = "";

  constructor(
    label: string,
    private readonly choose: (name: string) => void,
  ) {
    this.element = h("div", { class: "gg-seg", role: "radiogroup", "aria-label": label });
    this.element.addEventListener("click", (event) => this.click(event));
    this.element.addEventListener("keydown", (event) => this.key(event));
  }

  update(names: readonly string[], chosen: string): void {
    this.names = names;
    this.chosen = chosen;
    drawIfChanged(this.element, JSON.stringify(names), () =>
      names.map((name) => h("span", { role: "radio", title: full(name) }, clip(name, 30))),
    );
    this.all().forEach((radio, i) => {
      const on = names[i] === chosen;
      setAttributes(radio, { "aria-checked": String(on), tabindex: on ? 0 : -1 });
    });
  }

  private all(): HTMLElement[] {
    return [...this.element.children] as HTMLElement[];
  }

  private click(event: Event): void {
    const radio = near(event, "[role=radio]");
    const name = radio && this.names[this.all().indexOf(radio)];
    if (name !== null && name !== undefined) this.choose(name);
  }

  private key(event: KeyboardEvent): void {
    const by = Object.hasOwn(MOVES, event.key) ? (MOVES[event.key] ?? 0) : 0;
    if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const { length } = this.names;
    const next = (this.names.indexOf(this.chosen) + by + length) % length;
    const name = this.names[next];
    if (name === undefined) return;
    this.choose(name);
    this.all()[next]?.focus();
  }
}
