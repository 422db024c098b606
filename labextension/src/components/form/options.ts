/** The options of the scan in the form: the objective, the search, and where jobs run. */
import { h, setText } from "../ui/dom";
import { t } from "../ui/i18n";
import { full } from "../ui/text";
import { type Choice, ComplaintBox, input, newId, select, toggle } from "./inputs";
import type { CheckedForm, FormState, ScanOption } from "./messages";

const dashed = (name: string): string => `--${name.replaceAll("_", "-")}`;
const WIDTHS = { choice: "gf-choice", number: "gf-short", text: "gf-text", flag: "" };

/** One option: its input, the words beside it, and the complaint below. */
export class OptionField {
  readonly flag: string;
  readonly control: HTMLElement;
  readonly words = h("span", { class: "gg-q gf-words" });
  readonly complaint: ComplaintBox;
  private readonly box: HTMLElement;

  constructor(
    readonly option: ScanOption,
    private readonly state: FormState,
    private readonly changed: () => void,
    width: string = WIDTHS[option.kind],
  ) {
    this.flag = dashed(option.name);
    this.control = this.make(width);
    this.box = this.control.querySelector("select") ?? this.control;
    this.complaint = new ComplaintBox(({ suggestion }) => this.take(suggestion));
  }

  update(checked: CheckedForm): void {
    const wrong = checked.errors.find(({ field }) => field === this.flag) ?? null;
    this.complaint.update(wrong, [this.box], [this.box]);
    if (wrong) this.box.closest("details")?.setAttribute("open", "");
    setText(this.words, checked.words[this.flag] ?? "");
  }

  focus(): void {
    this.box.closest("details")?.setAttribute("open", "");
    this.box.focus();
  }

  /** Whether it has a value of its own. */
  get given(): boolean {
    const value = this.state.options[this.option.name] || "";
    return value !== (this.option.usual || "");
  }

  /** What an empty input stands for. */
  hint(text: string): void {
    if (this.box instanceof HTMLInputElement) this.box.placeholder = text;
  }

  private make(width: string): HTMLElement {
    const { name, label, kind, help, hint } = this.option;
    const known = this.state.options[name];
    if (kind === "flag") return toggle(label, known === true, (on) => this.set(on));
    const look = { label, width, hint, value: String(known ?? ""), title: full(help) };
    return kind === "choice"
      ? select(look, this.choices(look.value), (value) => this.set(value))
      : input(look, (text) => this.set(text));
  }

  private choices(value: string): Choice[] {
    const listed = this.option.choices.map((one) => ({ value: one, text: one }));
    const free = this.option.name === "sampler" || value === "";
    return free ? [{ value: "", text: t("automatic") }, ...listed] : listed;
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

/** What is made large or small: a direction and a metric, of which the notebook's own are suggested. */
export class ObjectiveField {
  readonly flag = "--maximize";
  readonly element: HTMLElement;
  readonly complaint: ComplaintBox;
  private readonly box: HTMLInputElement;
  private readonly list = h("datalist", { id: newId() });
  private readonly warning = h("div", { class: "gg-q gf-warning" });

  constructor(
    private readonly metrics: readonly string[],
    private readonly state: FormState,
    private readonly changed: () => void,
  ) {
    const directions = ["maximize", "minimize"].map((one) => ({ value: one, text: t(one) }));
    const way = { label: t("Direction"), value: state.direction, width: "gf-choice" };
    const best = t("Metric; max(NAME) or min(NAME) counts its best epoch");
    const look = { label: t("Metric"), value: state.metric, width: "gf-metric", title: best };
    this.complaint = new ComplaintBox(() => undefined);
    this.box = input({ ...look, hint: t("a metric") }, (text) => this.set(text));
    this.box.setAttribute("list", this.list.id);
    this.element = h(
      "div",
      { class: "gf-line" },
      select(way, directions, (value) => this.turn(value)),
      this.box,
      this.list,
      this.warning,
      this.complaint.element,
    );
    this.suggest();
  }

  update(checked: CheckedForm): void {
    const flags = [this.flag, "--minimize"];
    const wrong = checked.errors.find(({ field }) => flags.includes(field)) ?? null;
    this.complaint.update(wrong, [this.box], [this.box]);
    const warning = wrong ? "" : full(checked.warning ?? "");
    this.warning.hidden = !warning;
    setText(this.warning, warning);
  }

  focus(): void {
    this.box.focus();
  }

  private set(text: string): void {
    this.state.metric = text;
    this.changed();
  }

  private turn(direction: string): void {
    this.state.direction = direction === "minimize" ? "minimize" : "maximize";
    this.suggest();
    this.changed();
  }

  private suggest(): void {
    const best = this.state.direction === "minimize" ? "min" : "max";
    const texts = this.metrics.flatMap((name) => [`${best}(${name})`, name]);
    this.list.replaceChildren(...texts.map((value) => h("option", { value })));
  }
}
