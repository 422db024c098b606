/** The foot of the form: how many variants, what is still wrong, and the button that starts. */
import { drawIfChanged, h, setAttributes, setText } from "../ui/dom";
import { count, t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { clip, full } from "../ui/text";
import type { WaitReason } from "./checks";
import type { CheckedForm, Complaint } from "./messages";

/** So many fields with a complaint are named. */
const MOST_NAMED = 3;

const grouped = (number: number): string => number.toLocaleString("en-US");

/** `3 × 4 × 12 = 144 variants`; empty where the number is not known. */
export function variantsText({ variants, factors }: CheckedForm): string {
  if (variants === null) return "";
  const sum = count(variants, "%1 variant", "%1 variants").replace(/\d+/, grouped(variants));
  return factors.length > 1 ? `${factors.map(grouped).join(" × ")} = ${sum}` : sum;
}

/** Whether the cell can be started: it is right, as far as the form can check it. */
export const canStart = ({ variants, unchecked, errors }: CheckedForm): boolean =>
  errors.length === 0 && (unchecked || (variants !== null && variants > 0));

/** How many points constraints leave: `constraints leave 28 of 42 points`. */
function constraintsText({ grid, unconstrained }: CheckedForm): string {
  if (grid === null || unconstrained === null) return "";
  return t("constraints leave %1 of %2 points", grouped(grid), grouped(unconstrained));
}

/** What the foot needs from the form. Fields are named as in `Complaint`. */
export interface FootEvents {
  start(): void;
  goTo(field: string): void;
  /** The name of a field for people. */
  label(field: string): string;
}

/** The foot. Its button starts only a form that was checked and is right. */
export class FormFoot {
  readonly element: HTMLElement;
  readonly button = h("button", { type: "button", class: "gg-p" });
  private readonly sum = h("span", { class: "gf-sum" });
  private readonly status = h("span", { class: "gf-status" });
  private readonly note = h("div", { class: "gf-note", role: "status" });
  private readonly live = h("div", { class: "gg-live", role: "status", "aria-live": "polite" });
  private waitReason: WaitReason = "";
  private checked: CheckedForm | null = null;

  constructor(private readonly events: FootEvents) {
    const space = h("span", { class: "gg-sp" });
    this.element = h("div", { class: "gf-foot" }, this.note, this.sum, space);
    this.element.append(this.status, this.button, this.live);
    this.note.hidden = true;
    // With `aria-disabled` the button keeps the focus, which it would lose with `disabled`.
    this.button.addEventListener("click", () => {
      if (this.button.getAttribute("aria-disabled") !== "true") events.start();
    });
  }

  update(checked: CheckedForm): void {
    this.checked = checked;
    const { variants, errors, unchecked } = checked;
    const text = unchecked ? "" : variantsText(checked);
    const left = text && constraintsText(checked);
    drawIfChanged(this.sum, `${text}|${left}`, () => [
      text ? h("b", {}, text) : null,
      left ? h("span", { class: "gg-q gf-left" }, left) : null,
    ]);
    setAttributes(this.button, { "aria-disabled": canStart(checked) ? null : "true" });
    setText(this.button, variants && !unchecked ? this.startText(variants) : t("Start"));
    setText(this.live, this.spokenText(text, errors));
    this.draw();
  }

  /** Answers of the kernel are late, or will not come, or are there again. */
  waiting(why: WaitReason): void {
    this.waitReason = why;
    this.draw();
  }

  /** Shows a sentence to the user; an empty one removes it. */
  say(text: string): void {
    this.note.hidden = !text;
    setText(this.note, text);
  }

  private startText(variants: number): string {
    return count(variants, "Start %1 job", "Start %1 jobs").replace(/\d+/, grouped(variants));
  }

  private spokenText(variants: string, errors: readonly Complaint[]): string {
    const [first] = errors;
    if (!first) return variants;
    return full(`${this.events.label(first.field)} ${first.text}`.trim());
  }

  private draw(): void {
    const errors = this.checked?.errors ?? [];
    const signature = JSON.stringify([this.waitReason, errors, this.checked?.variants]);
    drawIfChanged(this.status, signature, () => this.statusContent(errors));
  }

  private statusContent(errors: readonly Complaint[]): (Node | string)[] {
    if (this.waitReason === "busy") return [t("Checks wait until the running cell ends.")];
    if (this.waitReason === "gone") return [t("The kernel has ended. Run the cell above again.")];
    const ofForm = errors.find(({ field }) => !field);
    if (ofForm) return [icon("failed"), full(ofForm.text)];
    const fields = [...new Set(errors.map(({ field }) => field))];
    if (fields.length) return this.fieldLinks(fields);
    if (this.checked?.unchecked) {
      return [h("span", { class: "gg-q" }, t("Lines of the cell are checked when it runs."))];
    }
    if (this.checked?.variants) return [];
    const idle = t("Nothing varies yet: choose list, range or repeats.");
    return [h("span", { class: "gg-q" }, idle)];
  }

  /** `2 values to correct: lr, epochs`, each a link to its field. */
  private fieldLinks(fields: readonly string[]): Node[] {
    const links = fields.slice(0, MOST_NAMED).flatMap((field, i) => {
      const link = h("button", { type: "button", class: "gg-l gg-c" });
      setText(link, clip(this.events.label(field), 40));
      link.addEventListener("click", () => this.events.goTo(field));
      return i > 0 ? [", ", link] : [link];
    });
    const more = fields.length > MOST_NAMED ? ", …" : "";
    const text = count(fields.length, "%1 value to correct:", "%1 values to correct:");
    return [icon("failed"), h("span", {}, `${text} `, ...links, more)];
  }
}
