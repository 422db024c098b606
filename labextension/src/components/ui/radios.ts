/** The choice of one of a few names, as a row of buttons. */
import { drawIfChanged, h, near, setAttributes } from "./dom";
import { clip, full } from "./text";

const STEPS: Record<string, number> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

/** A radio group with one tab stop; the arrow keys choose. */
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

  /** Shows these names, one of them chosen. */
  update(names: readonly string[], chosen: string): void {
    this.names = names;
    this.chosen = chosen;
    drawIfChanged(this.element, JSON.stringify(names), () =>
      names.map((name) => h("span", { role: "radio", title: full(name) }, clip(name, 30))),
    );
    this.radios().forEach((radio, i) => {
      const on = names[i] === chosen;
      setAttributes(radio, { "aria-checked": String(on), tabindex: on ? 0 : -1 });
    });
  }

  private radios(): HTMLElement[] {
    return [...this.element.children] as HTMLElement[];
  }

  private click(event: Event): void {
    const radio = near(event, "[role=radio]");
    const name = radio && this.names[this.radios().indexOf(radio)];
    if (name !== null && name !== undefined) this.choose(name);
  }

  private key(event: KeyboardEvent): void {
    const step = Object.hasOwn(STEPS, event.key) ? (STEPS[event.key] ?? 0) : 0;
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const { length } = this.names;
    const next = (this.names.indexOf(this.chosen) + step + length) % length;
    const name = this.names[next];
    if (name === undefined) return;
    this.choose(name);
    this.radios()[next]?.focus();
  }
}
