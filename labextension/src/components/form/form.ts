/** The parameter form: its parts put together. It writes the cell that it stands for. */
import { copyText } from "../ui/clipboard";
import { h } from "../ui/dom";
import { count, t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { keepKeys } from "../ui/keys";
import { drawCell } from "./cell";
import { FormChecks, type FormLink } from "./checks";
import { FormFoot } from "./foot";
import type { CheckedForm, FormState, NotebookFacts, ScanOption } from "./messages";
import { ObjectiveField, OptionField } from "./options";
import { FormRow } from "./parameterrow";

export const WRITE_CELL = "gridgpu:write-cell";
/** The options that make one sentence, and the word that follows each. */
const SENTENCE: Record<string, [width: string, word: string]> = {
  on: ["gf-engine", ""],
  gpus: ["gf-count", "GPUs, up to"],
  memory: ["gf-size", "memory, for"],
  walltime: ["gf-size", "a job"],
};
const WIDTHS: Record<string, string> = { name: "gf-long", trials: "gf-choice" };
const COPIED_MS = 2000;

interface Field {
  readonly flag: string;
  update(checked: CheckedForm): void;
  focus(): void;
}

export class Form {
  readonly element: HTMLElement;
  private readonly body = h("div", { class: "gf-body" });
  private readonly written = h("div", { class: "gf-written" });
  private readonly pre = h("pre", { tabindex: 0 });
  private readonly copy = h(
    "button",
    { type: "button", class: "gf-copy" },
    icon("copy"),
    t("Copy"),
  );
  private readonly rows = new Map<string, FormRow>();
  private readonly fields: Field[] = [];
  private readonly trials: OptionField[] = [];
  private readonly foot: FormFoot;
  private readonly checks: FormChecks;
  private checked: CheckedForm | null = null;
  private wanted = false;

  constructor(
    private readonly facts: NotebookFacts,
    private readonly state: FormState,
    checked: CheckedForm | null,
    link: FormLink,
  ) {
    this.element = h("section", {
      class: "gridgpu gridgpu-form",
      "aria-label": t("Scan %1", facts.notebook),
    });
    keepKeys(this.element);
    this.foot = new FormFoot({
      start: () => this.start(),
      goTo: (field) => this.goTo(field),
      label: (field) => this.label(field),
    });
    this.checks = new FormChecks(link, {
      answered: (answer) => this.answered(answer),
      waiting: (why) => this.foot.waiting(why),
    });
    this.body.append(this.head(), this.table(), this.settings(), this.cell(), this.foot.element);
    this.element.append(this.body, this.written);
    this.drawWritten();
    this.copy.addEventListener("click", () => void this.copied());
    if (checked) this.update(checked);
    else this.ask();
  }

  dispose(): void {
    this.checks.dispose();
    this.element.remove();
  }

  private head(): HTMLElement {
    const { notebook, parameters, cell, more } = this.facts;
    const found = count(
      parameters.length + more,
      "%1 parameter found in cell %2",
      "%1 parameters found in cell %2",
      cell,
    );
    const kept = more ? t("; %1 of them stay as they are", more) : "";
    const image = this.facts.where.find(({ name }) => name === "image");
    return h(
      "div",
      { class: "gf-head" },
      h("h3", {}, t("Scan %1", notebook)),
      h("span", { class: "gg-q" }, found + kept),
      h("span", { class: "gg-sp" }),
      ...(image ? this.image(image) : []),
    );
  }

  private image(option: ScanOption): Node[] {
    const field = this.field(option, "gf-image");
    return [h("span", { class: "gg-q" }, option.label), field.control, field.complaint.element];
  }

  private table(): HTMLElement {
    const names = [t("parameter"), t("default"), t("vary it as"), t("value"), t("points")];
    const head = h("div", { class: "gf-row gf-names", "aria-hidden": "true" });
    head.append(...names.map((name) => h("div", {}, name)));
    const table = h("div", { class: "gf-table" }, head);
    this.facts.parameters.forEach((parameter, i) => {
      const wish = this.state.parameters[i];
      if (!wish) return;
      const row = new FormRow(parameter, wish, () => this.ask());
      this.rows.set(parameter.name, row);
      table.append(row.element);
    });
    return table;
  }

  private settings(): HTMLElement {
    const objective = new ObjectiveField(this.facts.metrics, this.state, () => this.ask());
    this.fields.push(objective);
    const search = h("div", { class: "gf-options" });
    search.append(h("span", { class: "gg-q" }, t("Objective")), objective.element);
    for (const option of this.facts.search) this.line(search, option);
    return h(
      "div",
      { class: "gf-settings" },
      h("div", {}, h("h4", {}, t("Search")), search),
      h("div", {}, h("h4", {}, t("Where")), ...this.where()),
    );
  }

  /** Some options make a sentence; whatever else there is follows, a line each. */
  private where(): HTMLElement[] {
    const sentence = h("div", { class: "gf-line gf-sentence" });
    const others = h("div", { class: "gf-options" });
    for (const name of Object.keys(SENTENCE)) {
      const option = this.facts.where.find((one) => one.name === name);
      const [width, word] = SENTENCE[name] ?? ["", ""];
      if (!option) continue;
      const field = this.field(option, width);
      sentence.append(field.control, word ? h("span", { class: "gg-q" }, t(word)) : "");
    }
    sentence.append(...this.fields.flatMap((one) => this.below(one)));
    const rest = ({ name }: ScanOption): boolean =>
      name !== "image" && !Object.hasOwn(SENTENCE, name);
    const listed = this.facts.where.filter(rest);
    for (const option of listed.filter(({ rare }) => !rare)) this.line(others, option, option.help);
    return [sentence, others, ...this.rare(listed.filter(({ rare }) => rare))];
  }

  /** What is seldom needed is folded away, unless it has a value already. */
  private rare(options: readonly ScanOption[]): HTMLElement[] {
    if (!options.length) return [];
    const lines = h("div", { class: "gf-options" });
    const fields = options.map((option) => this.line(lines, option, option.help));
    const title = h("summary", {}, t("More about GPUs, queue and container"));
    const more = h("details", { class: "gf-more" }, title, lines);
    more.open = fields.some((field) => field.given);
    return [more];
  }

  private below(field: Field): Node[] {
    const said = field instanceof OptionField && Object.hasOwn(SENTENCE, field.option.name);
    return said ? [field.complaint.element] : [];
  }

  private line(into: HTMLElement, option: ScanOption, help = ""): OptionField {
    const field = this.field(option, WIDTHS[option.name]);
    if (option.name === "trials") this.trials.push(field);
    const words = help ? h("span", { class: "gg-q gf-words", title: help }, help) : field.words;
    const label = option.kind === "flag" ? "" : option.label;
    into.append(
      h("span", { class: "gg-q" }, label),
      h("div", { class: "gf-line" }, field.control, words, field.complaint.element),
    );
    return field;
  }

  private field(option: ScanOption, width?: string): OptionField {
    const field = new OptionField(option, this.state, () => this.ask(), width);
    this.fields.push(field);
    return field;
  }

  private cell(): HTMLElement {
    const title = h("h4", {}, t("The cell it writes"));
    this.pre.setAttribute("aria-label", t("The cell it writes"));
    const bar = h("div", { class: "gf-bar" }, title, h("span", { class: "gg-sp" }), this.copy);
    return h("div", { class: "gf-cell" }, bar, this.pre);
  }

  private drawWritten(): void {
    const again = h("button", { type: "button" }, t("Change and write again"));
    again.addEventListener("click", () => this.fold(false));
    const said = h("span", { class: "gg-q", role: "status" }, t("The cell below was written."));
    const title = h("b", {}, t("Scan %1", this.facts.notebook));
    this.written.append(title, said, h("span", { class: "gg-sp" }), again);
    this.written.hidden = true;
  }

  private ask(): void {
    this.wanted = false;
    this.foot.say("");
    this.checks.ask(this.state);
  }

  private answered(checked: CheckedForm): void {
    this.update(checked);
    if (this.wanted && checked.variants && !checked.errors.length) this.write(checked.cell);
    this.wanted = false;
  }

  private update(checked: CheckedForm): void {
    this.checked = checked;
    for (const row of this.rows.values()) row.update(checked);
    for (const field of this.fields) field.update(checked);
    const grid = checked.grid !== null && Object.keys(checked.each).length ? checked.grid : null;
    for (const field of this.trials) field.hint(grid === null ? "" : String(grid));
    drawCell(this.pre, checked.cell, checked.errors);
    this.foot.update(checked);
  }

  private label(field: string): string {
    if (field === "--maximize" || field === "--minimize") return t("objective");
    const known = this.fields.find(({ flag }) => flag === field);
    return known instanceof OptionField ? known.option.label.toLowerCase() : field;
  }

  private goTo(field: string): void {
    const flag = field === "--minimize" ? "--maximize" : field;
    (this.rows.get(field) ?? this.fields.find((one) => one.flag === flag))?.focus();
  }

  /** What was typed a moment ago is checked first. */
  private start(): void {
    if (this.checks.pending) {
      this.wanted = true;
      this.checks.flush();
    } else if (this.checked) this.write(this.checked.cell);
  }

  private write(text: string): void {
    const detail = { text, run: true };
    const event = new CustomEvent(WRITE_CELL, { bubbles: true, cancelable: true, detail });
    if (this.element.dispatchEvent(event)) void this.byHand(text);
    else this.fold(true);
  }

  /** Nobody around can write cells: the user does, with the text at hand. */
  private async byHand(text: string): Promise<void> {
    const said = t("Copy this cell below and run it.");
    this.foot.say(said);
    if (await copyText(text)) this.foot.say(`${said} ${t("It is in the clipboard.")}`);
    else this.element.ownerDocument.getSelection()?.selectAllChildren(this.pre);
  }

  private async copied(): Promise<void> {
    const done = await copyText(this.checked?.cell ?? "");
    if (!done) this.element.ownerDocument.getSelection()?.selectAllChildren(this.pre);
    const label = this.copy.lastChild;
    if (!done || !label) return;
    label.textContent = t("Copied");
    setTimeout(() => (label.textContent = t("Copy")), COPIED_MS);
  }

  private fold(on: boolean): void {
    const inside = this.element.contains(document.activeElement);
    this.body.hidden = on;
    this.written.hidden = !on;
    const next = on ? this.written.querySelector("button") : this.foot.button;
    if (inside) next?.focus({ preventScroll: true });
  }
}
