/** One parameter of the form: its name and default, how it varies, and its values. */
import { h, setText } from "../ui/dom";
import { t } from "../ui/i18n";
import type { MenuItem } from "../ui/popup";
import { RadioButtons } from "../ui/radios";
import { clip, full } from "../ui/text";
import { ComplaintBox, input, select, toggle } from "./inputs";
import type { CheckedForm, InputName, Parameter } from "./messages";
import { type Kind, KINDS, type ParameterChoice } from "./rows";
import { type RowEvents, rowMenu, type RowView } from "./rowview";

/** The input that a complaint about no input in particular is tied to. */
const FIRST_INPUT: Record<Kind, InputName> = {
  fixed: "value",
  list: "items",
  range: "low",
  repeats: "times",
};

/** The row of one parameter. It writes into `choice` what the user fills in. */
export class ParameterRow implements RowView {
  readonly element: HTMLElement;
  private readonly kinds: RadioButtons;
  private readonly values = h("div", { class: "gf-values" });
  private readonly points = h("div", { class: "gf-points" });
  /** Says what repeats stand for, or what a value follows from. */
  private readonly explanation = h("span", { class: "gg-q" });
  private readonly complaint = new ComplaintBox(({ part, suggestion }) =>
    this.take(part, suggestion),
  );
  /** The user wants a value that follows from others; an empty field shows an example. */
  private followsWanted = false;
  /** The inputs of the kind that is chosen. */
  private inputs = new Map<InputName, HTMLInputElement>();

  constructor(
    private readonly parameter: Parameter,
    private readonly choice: ParameterChoice,
    private readonly events: RowEvents,
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
      rowMenu(() => this.menuItems(), t("More for %1", name)),
    );
    this.draw();
  }

  update(checked: CheckedForm): void {
    const { id } = this.choice;
    const complaint = checked.errors.find(({ field }) => field === id) ?? null;
    const blamed = complaint ? this.inputOf(complaint.part) : undefined;
    this.element.classList.toggle("gf-bad", complaint !== null);
    this.complaint.update(complaint, [...this.inputs.values()], blamed ? [blamed] : []);
    const usual = this.choice.kind === "repeats" ? t("times each") : "";
    setText(this.explanation, checked.words[id] ?? usual);
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
    const { id, kind } = this.choice;
    if (kind === "fixed" || !Object.hasOwn(each, id)) return "";
    const points = each[id];
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
    this.events.changed();
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
      case "fixed": {
        const hint = this.followsWanted ? t("for example batch // 4") : this.defaultText();
        return [this.input("value", t("Value of %1", name), "gf-wide", hint), this.explanation];
      }
      case "list":
        return this.listEditor(name);
      case "repeats": {
        const label = t("How often, with seeds as %1", name);
        return [this.input("times", label, "gf-count"), this.explanation];
      }
      case "range":
        return this.rangeEditor(name);
    }
  }

  private listEditor(name: string): Node[] {
    const items = this.input("items", t("Values of %1, with commas between", name), "gf-wide");
    return this.choice.ordered ? [items, this.switch("ordered", t("in order"))] : [items];
  }

  private rangeEditor(name: string): Node[] {
    const { stepped, by_step } = this.choice;
    const low = this.input("low", t("Lower end of %1", name), "gf-end");
    const high = this.input("high", t("Upper end of %1", name), "gf-end");
    const to = h("span", { class: "gg-q" }, t("to"));
    const ends = [low, to, high, this.stepChoice(name)];
    if (by_step) return [...ends, this.input("step", t("Step of %1", name), "gf-short")];
    const log = this.switch("log", t("log"));
    if (!stepped) return [...ends, log];
    return [...ends, this.input("points", t("How many points of %1", name), "gf-count"), log];
  }

  private switch(name: "log" | "ordered", label: string): HTMLElement {
    return toggle(label, this.choice[name], (on) => {
      this.choice[name] = on;
      this.events.changed();
    });
  }

  private stepChoice(name: string): HTMLElement {
    const choices = [
      { value: "points", text: t("in") },
      { value: "any", text: t("any value") },
      { value: "step", text: t("in steps of") },
    ];
    const { stepped, by_step } = this.choice;
    const unsteady = stepped ? "points" : "any";
    const look = {
      label: t("Which values of %1", name),
      value: by_step ? "step" : unsteady,
      width: stepped && !by_step ? "gf-in" : "gf-any",
      title: t("In so many points, any value between the ends, or in steps"),
    };
    return select(look, choices, (value) => this.setSteps(value));
  }

  private setSteps(value: string): void {
    this.choice.by_step = value === "step";
    if (value !== "step") this.choice.stepped = value === "points";
    this.draw();
    // The choice was drawn anew; the focus goes to the new one.
    this.values.querySelector("select")?.focus();
    this.events.changed();
  }

  /** What is seldom wanted of a parameter. */
  private menuItems(): MenuItem[] {
    const { kind, ordered } = this.choice;
    const items = [{ text: t("Only under a condition…"), act: () => this.events.condition() }];
    if (kind === "list" && !ordered) {
      items.push({ text: t("Their order means something"), act: () => this.setOrdered() });
    }
    items.push({ text: t("Let it follow from others…"), act: () => this.follow() });
    items.push({ text: t("Values together with others…"), act: () => this.events.together() });
    return [...items, ...this.events.moves()];
  }

  private setOrdered(): void {
    this.choice.ordered = true;
    this.draw();
    this.events.changed();
  }

  private follow(): void {
    Object.assign(this.choice, { kind: "fixed", value: "" });
    this.followsWanted = true;
    this.draw();
    this.firstInput()?.focus();
    this.events.changed();
  }

  private input(name: InputName, label: string, width: string, hint = ""): HTMLInputElement {
    const element = input({ label, width, hint, value: this.choice[name] }, (text) => {
      this.choice[name] = text;
      this.events.changed();
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
    this.events.changed();
  }
}
