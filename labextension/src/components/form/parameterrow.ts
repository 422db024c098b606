/** One parameter of the form: its name and default, how it varies, and its values. */
import { h, setText } from "../ui/dom";
import { t } from "../ui/i18n";
import { RadioButtons } from "../ui/radios";
import { clip, full } from "../ui/text";
import { ComplaintBox, input, select, toggle } from "./inputs";
import {
  type CheckedForm,
  type InputName,
  type Kind,
  KINDS,
  type Parameter,
  type ParameterChoice,
} from "./messages";

/** The input that a complaint about no input in particular is tied to. */
const FIRST_INPUT: Record<Kind, InputName> = {
  fixed: "value",
  list: "items",
  range: "low",
  repeats: "times",
};

/** The row of one parameter. It writes into `choice` what the user fills in. */
export class ParameterRow {
  readonly element: HTMLElement;
  private readonly kinds: RadioButtons;
  private readonly values = h("div", { class: "gf-values" });
  private readonly points = h("div", { class: "gf-points" });
  /** Says what repeats stand for. */
  private readonly explanation = h("span", { class: "gg-q" });
  private readonly complaint = new ComplaintBox(({ part, suggestion }) =>
    this.take(part, suggestion),
  );
  /** The inputs of the kind that is chosen. */
  private inputs = new Map<InputName, HTMLInputElement>();

  constructor(
    private readonly parameter: Parameter,
    private readonly choice: ParameterChoice,
    private readonly changed: () => void,
  ) {
    const { name } = parameter;
    const label = t("How %1 varies", name);
    this.kinds = new RadioButtons(label, (kind) => this.chooseKind(kind as Kind));
    const value = { class: "gg-c gg-q gf-default", title: full(parameter.default) };
    this.element = h("div", { class: "gf-row", role: "group", "aria-label": name });
    this.element.append(
      this.nameCell(),
      h("div", value, this.defaultText()),
      h("div", { class: "gf-kinds" }, this.kinds.element, this.impossibleKinds()),
      this.values,
      this.points,
    );
    this.draw();
  }

  update(checked: CheckedForm): void {
    const { name } = this.parameter;
    const complaint = checked.errors.find(({ field }) => field === name) ?? null;
    const blamed = complaint ? this.inputOf(complaint.part) : undefined;
    this.element.classList.toggle("gf-bad", complaint !== null);
    this.complaint.update(complaint, [...this.inputs.values()], blamed ? [blamed] : []);
    setText(this.explanation, checked.words[name] ?? t("times each"));
    setText(this.points, this.pointsText(checked));
  }

  /** Focuses the input that is wrong, or the first one. */
  focus(): void {
    const wrong = [...this.inputs.values()].find((one) => one.hasAttribute("aria-invalid"));
    (wrong ?? this.firstInput())?.focus();
  }

  private nameCell(): HTMLElement {
    const { name, comment } = this.parameter;
    const cell = h("div", { class: "gf-name" });
    cell.append(h("span", { class: "gg-c", title: full(name) }, name));
    if (comment) cell.append(h("div", { class: "gg-q gf-comment", title: full(comment) }, comment));
    return cell;
  }

  private firstInput(): HTMLInputElement | undefined {
    return this.inputs.get(FIRST_INPUT[this.choice.kind]);
  }

  /** The input with a name; the first one for an empty name, or one that is not shown. */
  private inputOf(name: string): HTMLInputElement | undefined {
    return this.inputs.get(name as InputName) ?? this.firstInput();
  }

  private defaultText(): string {
    return clip(this.parameter.default, 40);
  }

  /** `× 4`, or `any` for any value of a range. */
  private pointsText({ each }: CheckedForm): string {
    const { name } = this.parameter;
    if (this.choice.kind === "fixed" || !Object.hasOwn(each, name)) return "";
    const points = each[name];
    return typeof points === "number" ? `× ${points}` : t("any");
  }

  /** The kinds that the parameter cannot have are shown faintly, with the reason. */
  private impossibleKinds(): HTMLElement | null {
    const missing = KINDS.filter((kind) => !this.parameter.kinds.includes(kind));
    if (!missing.length) return null;
    const kinds = missing.map((kind) => h("span", {}, kind));
    return h("span", { class: "gf-impossible", title: full(this.parameter.why) }, ...kinds);
  }

  private chooseKind(kind: Kind): void {
    if (kind === this.choice.kind) return;
    this.choice.kind = kind;
    this.draw();
    this.changed();
  }

  private draw(): void {
    this.kinds.update(this.parameter.kinds, this.choice.kind);
    this.inputs = new Map();
    // What the last check said was about other inputs.
    setText(this.points, "");
    this.element.classList.remove("gf-bad");
    this.complaint.update(null, [], []);
    this.values.replaceChildren(...this.editor(), this.complaint.element);
  }

  private editor(): Node[] {
    const { name } = this.parameter;
    switch (this.choice.kind) {
      case "fixed":
        return [this.input("value", t("Value of %1", name), "gf-wide", this.defaultText())];
      case "list":
        return [this.input("items", t("Values of %1, with commas between", name), "gf-wide")];
      case "repeats": {
        const label = t("How often, with seeds as %1", name);
        return [this.input("times", label, "gf-count"), this.explanation];
      }
      case "range":
        return this.rangeEditor(name);
    }
  }

  private rangeEditor(name: string): Node[] {
    const { stepped, log } = this.choice;
    const low = this.input("low", t("Lower end of %1", name), "gf-end");
    const high = this.input("high", t("Upper end of %1", name), "gf-end");
    const to = h("span", { class: "gg-q" }, t("to"));
    const logSwitch = toggle(t("log"), log, (on) => {
      this.choice.log = on;
      this.changed();
    });
    const steps = this.stepChoice(name);
    if (!stepped) return [low, to, high, steps, logSwitch];
    const points = this.input("points", t("How many points of %1", name), "gf-count");
    return [low, to, high, steps, points, logSwitch];
  }

  private stepChoice(name: string): HTMLElement {
    const choices = [
      { value: "points", text: t("in") },
      { value: "any", text: t("any value") },
    ];
    const { stepped } = this.choice;
    const look = {
      label: t("Which values of %1", name),
      value: stepped ? "points" : "any",
      width: stepped ? "gf-in" : "gf-any",
      title: t("In so many points, or any value between the ends"),
    };
    return select(look, choices, (value) => this.setStepped(value === "points"));
  }

  private setStepped(stepped: boolean): void {
    this.choice.stepped = stepped;
    this.draw();
    // The choice was drawn anew; the focus goes to the new one.
    this.values.querySelector("select")?.focus();
    this.changed();
  }

  private input(name: InputName, label: string, width: string, hint = ""): HTMLInputElement {
    const element = input({ label, width, hint, value: this.choice[name] }, (text) => {
      this.choice[name] = text;
      this.changed();
    });
    this.inputs.set(name, element);
    return element;
  }

  /** Writes a suggestion into the input that it is for. */
  private take(part: string, suggestion: string | null): void {
    const known = this.inputs.has(part as InputName);
    const name = known ? (part as InputName) : FIRST_INPUT[this.choice.kind];
    const element = this.inputs.get(name);
    if (suggestion === null || !element) return;
    this.choice[name] = suggestion;
    element.value = suggestion;
    element.focus();
    this.changed();
  }
}
