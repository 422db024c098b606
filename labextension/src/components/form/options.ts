/** The fields of the options of a scan. */
import { h, setAttributes, setText } from "../ui/dom";
import { t } from "../ui/i18n";
import { clip, full } from "../ui/text";
import {
  type Choice,
  ComplaintBox,
  describe,
  input,
  newId,
  select,
  textarea,
  toggle,
} from "./inputs";
import type { CheckedForm, FormState, ScanOption } from "./messages";

/** A field of the form; its flag is what complaints call it by. */
export interface Field {
  readonly flag: string;
  update(checked: CheckedForm): void;
  focus(): void;
}

const WIDTHS = {
  ...{ choice: "gf-choice", number: "gf-short", text: "gf-text", several: "gf-several" },
  lines: "gf-several",
  flag: "",
};

/** One option: its input, the explanation beside it, and the complaint below. */
export class OptionField implements Field {
  readonly flag: string;
  readonly control: HTMLElement;
  readonly explanation = h("span", { class: "gg-q gf-words", id: newId() });
  readonly complaint: ComplaintBox;
  /** The element that takes the focus. */
  private readonly box: HTMLElement;
  private help = "";

  constructor(
    readonly option: ScanOption,
    private readonly state: FormState,
    private readonly changed: () => void,
    width: string = WIDTHS[option.kind],
  ) {
    this.flag = option.flag;
    this.control = this.make(width);
    this.box = this.control.querySelector("select") ?? this.control;
    // What stands beside the field belongs to it, for those who hear the page, too.
    describe(this.box, this.explanation.id);
    this.complaint = new ComplaintBox(({ suggestion }) => this.take(suggestion));
  }

  update(checked: CheckedForm): void {
    const complaint = checked.errors.find(({ field }) => field === this.flag) ?? null;
    this.complaint.update(complaint, [this.box], [this.box]);
    if (complaint) this.unfold();
    if (!this.help) setText(this.explanation, checked.words[this.flag] ?? "");
  }

  /** Shows the help beside the field, where else the explanation of its value stands. */
  explain(help: string): void {
    this.help = help;
    setAttributes(this.explanation, { title: help });
    setText(this.explanation, help);
  }

  focus(): void {
    this.unfold();
    this.box.focus();
  }

  /** Whether the option has another value than the usual one. */
  get given(): boolean {
    const value = this.state.options[this.option.name] || "";
    return value !== (this.option.usual || "");
  }

  /** Shows in an empty input the value that it stands for. */
  hint(text: string): void {
    if (this.box instanceof HTMLInputElement) setAttributes(this.box, { placeholder: text });
  }

  /** Opens the options that are folded away, if this is one of them. */
  private unfold(): void {
    this.box.closest("details")?.setAttribute("open", "");
  }

  private make(width: string): HTMLElement {
    const { name, label, kind, help, hint } = this.option;
    const known = this.state.options[name];
    if (kind === "flag") return toggle(label, known === true, (on) => this.set(on));
    const several = kind === "several" ? t("several, with spaces between") : hint;
    const look = { label, width, hint: several, value: String(known ?? ""), title: full(help) };
    if (kind === "lines") {
      return textarea({ ...look, hint: t("one in each line") }, (text) => this.set(text));
    }
    if (kind === "choice")
      return select(look, this.choices(look.value), (value) => this.set(value));
    return input(look, (text) => this.set(text));
  }

  private choices(value: string): Choice[] {
    const { titles } = this.option;
    const listed = this.option.choices.map((name) => {
      const title = titles[name];
      return { value: name, text: title ? `${name} (${clip(title, 60)})` : name };
    });
    // Without a sampler, the one that fits to the space is taken.
    const mayBeEmpty = this.option.name === "sampler" || value === "";
    return mayBeEmpty ? [{ value: "", text: t("automatic") }, ...listed] : listed;
  }

  private set(value: string | boolean): void {
    this.state.options[this.option.name] = value;
    this.changed();
  }

  private take(suggestion: string | null): void {
    if (suggestion === null || !(this.box instanceof HTMLInputElement)) return;
    this.box.value = suggestion;
    this.box.focus();
    this.set(suggestion);
  }
}
