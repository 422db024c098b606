/** The foot of the form: how many variants, what is still wrong, and the button that starts them. */
import { drawIfChanged, h, setAttributes, setText } from "../ui/dom";
import { count, t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { clip, full } from "../ui/text";
import type { CheckedForm, Complaint } from "./messages";

const LINKS = 3;
const grouped = (number: number): string => number.toLocaleString("en-US");

/** `3 × 4 × 12 = 144 variants`. */
export function variantsText({ variants, factors }: CheckedForm): string {
  if (variants === null) return "";
  const sum = count(variants, "%1 variant", "%1 variants").replace(/\d+/, grouped(variants));
  return factors.length > 1 ? `${factors.map(grouped).join(" × ")} = ${sum}` : sum;
}

export interface FootEvents {
  start(): void;
  goTo(field: string): void;
  label(field: string): string;
}

export class FormFoot {
  readonly element: HTMLElement;
  readonly button = h("button", { type: "button", class: "gg-p" });
  private readonly sum = h("span", { class: "gf-sum" });
  private readonly status = h("span", { class: "gf-status" });
  private readonly note = h("div", { class: "gf-note", role: "status" });
  private readonly live = h("div", { class: "gg-live", role: "status", "aria-live": "polite" });
  private why: "" | "busy" | "gone" = "";
  private checked: CheckedForm | null = null;

  constructor(private readonly actions: FootEvents) {
    this.element = h(
      "div",
      { class: "gf-foot" },
      this.note,
      this.sum,
      h("span", { class: "gg-sp" }),
      this.status,
      this.button,
      this.live,
    );
    this.note.hidden = true;
    this.button.addEventListener("click", () => {
      if (this.button.getAttribute("aria-disabled") !== "true") actions.start();
    });
  }

  update(checked: CheckedForm): void {
    this.checked = checked;
    const { variants, errors } = checked;
    const words = variantsText(checked);
    drawIfChanged(this.sum, words, () => (words ? [h("b", {}, words)] : []));
    const ready = variants !== null && variants > 0 && errors.length === 0;
    setAttributes(this.button, { "aria-disabled": ready ? null : "true" });
    setText(this.button, variants ? this.label(variants) : t("Start"));
    setText(this.live, this.spoken(words, errors));
    this.draw();
  }

  /** Whether answers are late, or will not come. */
  waiting(why: "" | "busy" | "gone"): void {
    this.why = why;
    this.draw();
  }

  say(text: string): void {
    this.note.hidden = !text;
    setText(this.note, text);
  }

  private label(variants: number): string {
    return count(variants, "Start %1 job", "Start %1 jobs").replace(/\d+/, grouped(variants));
  }

  private spoken(words: string, errors: readonly Complaint[]): string {
    const [first] = errors;
    return first ? full(`${this.actions.label(first.field)} ${first.text}`.trim()) : words;
  }

  private draw(): void {
    const errors = this.checked?.errors ?? [];
    const fields = [...new Set(errors.map(({ field }) => field).filter(Boolean))];
    const signature = JSON.stringify([this.why, errors, this.checked?.variants]);
    drawIfChanged(this.status, signature, () => {
      if (this.why === "busy") return [t("Checks wait until the running cell ends.")];
      if (this.why === "gone") return [t("The kernel has ended. Run the cell above again.")];
      const whole = errors.find(({ field }) => !field);
      if (whole) return [icon("failed"), full(whole.text)];
      if (fields.length) return this.links(fields);
      const idle = t("Nothing varies yet: choose list, range or repeats.");
      return this.checked?.variants ? [] : [h("span", { class: "gg-q" }, idle)];
    });
  }

  private links(fields: readonly string[]): (Node | string)[] {
    const shown = fields.slice(0, LINKS).flatMap((field, i) => {
      const words = clip(this.actions.label(field), 40);
      const link = h("button", { type: "button", class: "gg-l gg-c" }, words);
      link.addEventListener("click", () => this.actions.goTo(field));
      return i ? [", ", link] : [link];
    });
    const more = fields.length > LINKS ? ", …" : "";
    const words = count(fields.length, "%1 value to correct:", "%1 values to correct:");
    return [icon("failed"), h("span", {}, `${words} `, ...shown, more)];
  }
}
