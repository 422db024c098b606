/** One parameter of the form: its name and default, how it varies, and the values. */
import { h, setText } from "../ui/dom";
import { t } from "../ui/i18n";
import { RadioButtons } from "../ui/radios";
import { clip, full } from "../ui/text";
import { ComplaintBox, input, select, toggle } from "./inputs";
import type { CheckedForm, ChoiceField, Kind, Parameter, ParameterChoice } from "./messages";
import { KINDS } from "./messages";

/** The input that a complaint about no input in particular is about. */
const FIRST: Record<Kind, ChoiceField> = {
  fixed: "value",
  list: "items",
  range: "low",
  repeats: "times",
};

export class FormRow {
  readonly element: HTMLElement;
  private readonly kinds: RadioButtons;
  private readonly values = h("div", { class: "gf-values" });
  private readonly points = h("div", { class: "gf-points" });
  private readonly words = h("span", { class: "gg-q" });
  private readonly complaint = new ComplaintBox(({ part, suggestion }) =>
    this.take(part, suggestion),
  );
  private inputs = new Map<ChoiceField, HTMLInputElement>();

  constructor(
    private readonly parameter: Parameter,
    private readonly wish: ParameterChoice,
    private readonly changed: () => void,
  ) {
    const { name, comment } = parameter;
    this.kinds = new RadioButtons(t("How %1 varies", name), (kind) => this.choose(kind as Kind));
    this.element = h(
      "div",
      { class: "gf-row", role: "group", "aria-label": name },
      h(
        "div",
        { class: "gf-name" },
        h("span", { class: "gg-c", title: full(name) }, name),
        comment ? h("div", { class: "gg-q gf-comment", title: full(comment) }, comment) : null,
      ),
      h("div", { class: "gg-c gg-q gf-default", title: full(parameter.default) }, this.default()),
      h("div", { class: "gf-kinds" }, this.kinds.element, this.impossible()),
      this.values,
      this.points,
    );
    this.draw();
  }

  update(checked: CheckedForm): void {
    const { name } = this.parameter;
    const wrong = checked.errors.find(({ field }) => field === name) ?? null;
    const part = wrong?.part as ChoiceField | undefined;
    const blamed = wrong && (this.inputs.get(part ?? "value") ?? this.first());
    this.element.classList.toggle("gf-bad", wrong !== null);
    this.complaint.update(wrong, [...this.inputs.values()], blamed ? [blamed] : []);
    setText(this.words, checked.words[name] ?? t("times each"));
    setText(this.points, this.counted(checked));
  }

  focus(): void {
    const wrong = [...this.inputs.values()].find((one) => one.hasAttribute("aria-invalid"));
    (wrong ?? this.first())?.focus();
  }

  private first(): HTMLInputElement | undefined {
    return this.inputs.get(FIRST[this.wish.kind]);
  }

  private default(): string {
    return clip(this.parameter.default, 40);
  }

  private counted({ each }: CheckedForm): string {
    const { name } = this.parameter;
    if (this.wish.kind === "fixed" || !Object.hasOwn(each, name)) return "";
    const points = each[name];
    return typeof points === "number" ? `× ${points}` : t("any");
  }

  /** The kinds that this parameter cannot have are shown, faintly, with the reason. */
  private impossible(): HTMLElement | null {
    const missing = KINDS.filter((kind) => !this.parameter.kinds.includes(kind));
    if (!missing.length) return null;
    const kinds = missing.map((kind) => h("span", {}, kind));
    return h("span", { class: "gf-impossible", title: full(this.parameter.why) }, ...kinds);
  }

  private choose(kind: Kind): void {
    if (kind === this.wish.kind) return;
    this.wish.kind = kind;
    this.draw();
    this.changed();
  }

  private draw(): void {
    this.kinds.update(this.parameter.kinds, this.wish.kind);
    this.inputs = new Map();
    setText(this.points, "");
    this.element.classList.remove("gf-bad");
    this.complaint.update(null, [], []);
    this.values.replaceChildren(...this.editor(), this.complaint.element);
  }

  private editor(): Node[] {
    const { name } = this.parameter;
    switch (this.wish.kind) {
      case "fixed":
        return [this.input("value", t("Value of %1", name), "gf-wide", this.default())];
      case "list":
        return [this.input("items", t("Values of %1, with commas between", name), "gf-wide")];
      case "repeats":
        return [
          this.input("times", t("How often, with seeds as %1", name), "gf-count"),
          this.words,
        ];
      case "range":
        return this.range(name);
    }
  }

  private range(name: string): Node[] {
    const how = [
      { value: "points", text: t("in") },
      { value: "any", text: t("any value") },
    ];
    const look = {
      label: t("Which values of %1", name),
      value: this.wish.stepped ? "points" : "any",
      width: this.wish.stepped ? "gf-in" : "gf-any",
      title: t("In so many points, or any value between the ends"),
    };
    const box = select(look, how, (value) => this.step(value === "points"));
    const points = this.wish.stepped
      ? [this.input("points", t("How many points of %1", name), "gf-count")]
      : [];
    return [
      this.input("low", t("Lower end of %1", name), "gf-end"),
      h("span", { class: "gg-q" }, t("to")),
      this.input("high", t("Upper end of %1", name), "gf-end"),
      box,
      ...points,
      toggle(t("log"), this.wish.log, (on) => {
        this.wish.log = on;
        this.changed();
      }),
    ];
  }

  private step(stepped: boolean): void {
    this.wish.stepped = stepped;
    this.draw();
    this.values.querySelector("select")?.focus();
    this.changed();
  }

  private input(part: ChoiceField, label: string, width: string, hint = ""): HTMLInputElement {
    const element = input({ label, width, hint, value: this.wish[part] }, (text) => {
      this.wish[part] = text;
      this.changed();
    });
    this.inputs.set(part, element);
    return element;
  }

  private take(part: string, suggestion: string | null): void {
    const chosen = this.inputs.has(part as ChoiceField)
      ? (part as ChoiceField)
      : FIRST[this.wish.kind];
    const element = this.inputs.get(chosen);
    if (suggestion === null || !element) return;
    this.wish[chosen] = element.value = suggestion;
    element.focus();
    this.changed();
  }
}
