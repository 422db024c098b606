/** The field of the objectives. Most scans have one; a button adds others. */
import { button, h, setText } from "../ui/dom";
import { t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { full } from "../ui/text";
import { ComplaintBox, input, newId, select } from "./inputs";
import type { CheckedForm, FormState, Objective } from "./messages";
import type { Field } from "./options";

const DIRECTIONS = ["maximize", "minimize"] as const;
/** A scan has no more objectives (OBJECTIVES_LIMIT in model/objective.py). */
const MOST_OBJECTIVES = 8;

/** The objectives: a direction and a metric each. The metrics of the notebook are suggested. */
export class ObjectivesField implements Field {
  readonly flag = "--maximize";
  readonly element = h("div", { class: "gf-line" });
  private readonly complaint = new ComplaintBox(() => undefined);
  private readonly warning = h("div", { class: "gg-q gf-warning" });
  private boxes: HTMLInputElement[] = [];

  constructor(
    private readonly metrics: readonly string[],
    private readonly state: FormState,
    private readonly changed: () => void,
  ) {
    this.draw();
  }

  update(checked: CheckedForm): void {
    const flags = [this.flag, "--minimize"];
    const complaint = checked.errors.find(({ field }) => flags.includes(field)) ?? null;
    const named = this.boxes.findLast((box) => complaint?.part && box.value === complaint.part);
    this.complaint.update(
      complaint,
      this.boxes,
      [named ?? this.boxes[0]].filter((box) => box !== undefined),
    );
    const warning = complaint ? "" : full(checked.warning ?? "");
    this.warning.hidden = !warning;
    setText(this.warning, warning);
  }

  focus(): void {
    const wrong = this.boxes.find((box) => box.hasAttribute("aria-invalid"));
    (wrong ?? this.boxes[0])?.focus();
  }

  private draw(): void {
    const { others } = this.state;
    this.boxes = [];
    const add = button(t("Add an objective"), [icon("plus")], { class: "gg-i" });
    add.addEventListener("click", () => this.add());
    const lines = [this.line(this.state, "", others.length < MOST_OBJECTIVES - 1 ? add : null)];
    others.forEach((one, i) => lines.push(this.line(one, ` ${i + 2}`, this.removal(i))));
    this.element.replaceChildren(...lines, this.warning, this.complaint.element);
  }

  private line(objective: Objective, number: string, end: HTMLElement | null): HTMLElement {
    const list = h("datalist", { id: newId() });
    const directions = DIRECTIONS.map((name) => ({ value: name, text: t(name) }));
    const look = { value: objective.direction, width: "gf-choice" };
    const choice = { ...look, label: `${t("Direction")}${number}` };
    const direction = select(choice, directions, (value) => {
      objective.direction = value === "minimize" ? "minimize" : "maximize";
      this.suggest(list, objective);
      this.changed();
    });
    const title = t("Metric; max(NAME) or min(NAME) counts its best epoch");
    const metric = { label: `${t("Metric")}${number}`, value: objective.metric, title };
    const box = input({ ...metric, width: "gf-metric", hint: t("a metric") }, (text) => {
      objective.metric = text;
      this.changed();
    });
    box.setAttribute("list", list.id);
    this.boxes.push(box);
    this.suggest(list, objective);
    return h("div", { class: "gf-objective" }, direction, box, list, end);
  }

  private removal(index: number): HTMLElement {
    const away = button(t("Remove objective %1", index + 2), [icon("close")], { class: "gg-i" });
    away.addEventListener("click", () => {
      this.state.others.splice(index, 1);
      this.draw();
      this.boxes[index]?.focus();
      this.changed();
    });
    return away;
  }

  private add(): void {
    this.state.others.push({ direction: "maximize", metric: "" });
    this.draw();
    this.boxes.at(-1)?.focus();
    this.changed();
  }

  private suggest(list: HTMLElement, { direction }: Objective): void {
    const best = direction === "minimize" ? "min" : "max";
    const texts = this.metrics.flatMap((name) => [`${best}(${name})`, name]);
    list.replaceChildren(...texts.map((value) => h("option", { value })));
  }
}
