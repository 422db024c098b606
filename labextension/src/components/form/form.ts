/** The parameter form. It writes the cell that it stands for. */
import { copyText } from "../ui/clipboard";
import { h, setAttributes, setText } from "../ui/dom";
import { count, t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { keepKeys } from "../ui/keys";
import { full } from "../ui/text";
import { drawWarnings } from "../ui/warnings";
import { drawCell } from "./cell";
import { FormChecks, type FormLink } from "./checks";
import { canStart, FormFoot } from "./foot";
import { WRITE_CELL, type WriteCell } from "./writecell";
import { askHome } from "./home";
import type { CheckedForm, FormState, FormContent, ScanOption } from "./messages";
import { ObjectivesField } from "./objectives";
import { type Field, OptionField } from "./options";
import { RowList } from "./rowlist";
import { SaveFile } from "./savefile";

/** The options that make one sentence: the class of their width, and the words after each. */
const SENTENCE: Record<string, [width: string, word: string]> = {
  on: ["gf-engine", ""],
  gpus: ["gf-count", "GPUs, up to"],
  memory: ["gf-size", "memory, for"],
  walltime: ["gf-size", "a job"],
};
const WIDTHS: Record<string, string> = { name: "gf-long", trials: "gf-choice" };
/** For so many milliseconds the button says that the cell was copied. */
const COPIED_TIME = 2000;

/** The form: the parameters, the options, the cell that they make, and the button that starts. */
export class Form {
  readonly element: HTMLElement;
  /** The form while it is filled in, and what takes its place once the cell was written. */
  private readonly body = h("div", { class: "gf-body" });
  private readonly written = h("div", { class: "gf-written" });
  private readonly pre = h("pre", { tabindex: 0 });
  private readonly copy = h(
    "button",
    { type: "button", class: "gf-copy" },
    icon("copy"),
    t("Copy"),
  );
  private readonly warnings = h("div", {
    ...{ class: "gg-warnings", role: "status", "aria-label": t("Warnings") },
  });
  /** Says that the kernel keeps its scans where the server does not see them. */
  private readonly elsewhere = h("div", { class: "gf-elsewhere gg-q", role: "status" });
  private readonly rows: RowList;
  private readonly fields: Field[] = [];
  /** The field of the number of trials, which shows the size of the grid while it is empty. */
  private readonly trials: OptionField[] = [];
  private readonly foot: FormFoot;
  private readonly saving: SaveFile;
  private readonly checks: FormChecks;
  private checked: CheckedForm | null = null;
  /** The user has pressed Start and waits for a check. */
  private startWanted = false;

  constructor(
    private readonly content: FormContent,
    private readonly state: FormState,
    checked: CheckedForm | null,
    link: FormLink,
  ) {
    this.element = h("section", {
      class: "gridgpu gridgpu-form",
      "aria-label": t("Scan %1", content.notebook),
    });
    keepKeys(this.element);
    this.rows = new RowList(content, state.parameters, () => this.check());
    this.foot = new FormFoot({
      start: () => this.start(),
      goTo: (field) => this.goTo(field),
      label: (field) => this.label(field),
    });
    this.saving = new SaveFile(link, state);
    this.checks = new FormChecks(link, {
      answered: (answer) => this.answered(answer),
      waiting: (why) => this.foot.waiting(why),
    });
    this.body.append(this.makeHead(), this.rows.element, this.makeSettings(), this.makeCell());
    this.body.append(this.warnings, this.elsewhere, this.foot.element);
    this.warnings.hidden = true;
    this.element.append(this.body, this.written);
    this.drawWritten();
    this.copy.addEventListener("click", () => void this.copied());
    this.elsewhere.hidden = true;
    askHome(this.element, content, (text) => {
      setText(this.elsewhere, text);
      this.elsewhere.hidden = !text;
    });
    if (checked) this.update(checked);
    else this.check();
  }

  dispose(): void {
    this.checks.dispose();
    this.saving.dispose();
    this.element.remove();
  }

  private makeHead(): HTMLElement {
    const { notebook, parameters, cell, more } = this.content;
    const found = count(
      parameters.length + more,
      "%1 parameter found in cell %2",
      "%1 parameters found in cell %2",
      cell,
    );
    const kept = more ? t("; %1 of them stay as they are", more) : "";
    const image = this.content.where.find(({ name }) => name === "image");
    return h(
      "div",
      { class: "gf-head" },
      h("h3", {}, t("Scan %1", notebook)),
      h("span", { class: "gg-q" }, found + kept),
      h("span", { class: "gg-sp" }),
      ...(image ? this.makeImage(image) : []),
    );
  }

  private makeImage(option: ScanOption): Node[] {
    const field = this.field(option, "gf-image");
    return [h("span", { class: "gg-q" }, option.label), field.control, field.complaint.element];
  }

  private makeSettings(): HTMLElement {
    const objective = new ObjectivesField(this.content.metrics, this.state, () => this.check());
    this.fields.push(objective);
    const search = h("div", { class: "gf-options" });
    search.append(h("span", { class: "gg-q" }, t("Objective")), objective.element);
    for (const option of this.content.search) this.line(search, option);
    return h(
      "div",
      { class: "gf-settings" },
      h("div", {}, h("h4", {}, t("Search")), search),
      h("div", {}, h("h4", {}, t("Where")), ...this.makeWhere()),
      ...this.makeMore(),
    );
  }

  /** The options of the place: some make a sentence, the others follow, a line each. */
  private makeWhere(): HTMLElement[] {
    const sentence = h("div", { class: "gf-line gf-sentence" });
    const others = h("div", { class: "gf-options" });
    const complaints: HTMLElement[] = [];
    for (const [name, [width, word]] of Object.entries(SENTENCE)) {
      const option = this.content.where.find((one) => one.name === name);
      if (!option) continue;
      const field = this.field(option, width);
      sentence.append(field.control, word ? h("span", { class: "gg-q" }, t(word)) : "");
      complaints.push(field.complaint.element);
    }
    // A complaint between the words would tear the sentence apart.
    sentence.append(...complaints);
    // The image stands in the head of the form.
    const listed = this.content.where.filter(
      ({ name }) => name !== "image" && !Object.hasOwn(SENTENCE, name),
    );
    for (const option of listed.filter(({ group }) => !group))
      this.line(others, option, option.help);
    return [sentence, others];
  }

  /** Options that are seldom needed are folded away in groups, unless one has a value already. */
  private makeMore(): HTMLElement[] {
    const options = this.content.where.filter(({ group }) => group);
    if (!options.length) return [];
    const groups = h("div", { class: "gf-groups" });
    const fields: OptionField[] = [];
    for (const title of new Set(options.map(({ group }) => group))) {
      const lines = h("div", { class: "gf-options", role: "group", "aria-label": title });
      for (const option of options.filter(({ group }) => group === title))
        fields.push(this.line(lines, option, option.help));
      groups.append(h("div", {}, h("h5", {}, title), lines));
    }
    const more = h("details", { class: "gf-more" }, h("summary", {}, t("More options")), groups);
    more.open = fields.some((field) => field.given);
    return [more];
  }

  /** Adds a line with an option. Beside its input stands its help, or else an explanation. */
  private line(into: HTMLElement, option: ScanOption, help = ""): OptionField {
    const field = this.field(option, WIDTHS[option.name]);
    if (option.name === "trials") this.trials.push(field);
    if (help) field.explain(help);
    // A switch carries its label itself.
    const label = option.kind === "flag" ? "" : option.label;
    into.append(
      h("span", { class: "gg-q" }, label),
      h("div", { class: "gf-line" }, field.control, field.explanation, field.complaint.element),
    );
    return field;
  }

  private field(option: ScanOption, width?: string): OptionField {
    const field = new OptionField(option, this.state, () => this.check(), width);
    this.fields.push(field);
    return field;
  }

  private makeCell(): HTMLElement {
    const title = h("h4", {}, t("The cell it writes"));
    setAttributes(this.pre, { "aria-label": t("The cell it writes") });
    const space = h("span", { class: "gg-sp" });
    const bar = h("div", { class: "gf-bar" }, title, space, this.saving.button, this.copy);
    return h("div", { class: "gf-cell" }, bar, this.saving.line, this.pre);
  }

  /** Draws what takes the place of the form once its cell was written. */
  private drawWritten(): void {
    const again = h("button", { type: "button" }, t("Change and write again"));
    again.addEventListener("click", () => this.collapse(false));
    const said = h("span", { class: "gg-q", role: "status" }, t("The cell below was written."));
    const title = h("b", {}, t("Scan %1", this.content.notebook));
    this.written.append(title, said, h("span", { class: "gg-sp" }), again);
    this.written.hidden = true;
  }

  private check(): void {
    this.startWanted = false;
    this.foot.say("");
    this.checks.check(this.state);
  }

  private answered(checked: CheckedForm): void {
    this.update(checked);
    if (this.startWanted && canStart(checked)) this.write(checked.cell);
    this.startWanted = false;
  }

  private update(checked: CheckedForm): void {
    this.checked = checked;
    this.rows.update(checked);
    for (const field of this.fields) field.update(checked);
    // Without a number of trials, the whole grid is run; the field says how much that is.
    const varies = Object.keys(checked.each).length > 0;
    const hint = varies ? String(checked.grid ?? "") : "";
    for (const field of this.trials) field.hint(hint);
    drawCell(this.pre, checked);
    drawWarnings(this.warnings, checked.warnings.map(full));
    this.foot.update(checked);
  }

  /** The name of a field for people. */
  private label(field: string): string {
    if (field === "--maximize" || field === "--minimize") return t("objective");
    const known = this.fields.find(({ flag }) => flag === field);
    if (known instanceof OptionField) return known.option.label.toLowerCase();
    return this.rows.label(field);
  }

  private goTo(field: string): void {
    // Both directions are one field of the form.
    const flag = field === "--minimize" ? "--maximize" : field;
    if (this.rows.has(field)) this.rows.focus(field);
    else this.fields.find((one) => one.flag === flag)?.focus();
  }

  /** Writes the cell. What was typed a moment ago is checked first. */
  private start(): void {
    if (this.checks.pending) {
      this.startWanted = true;
      this.checks.flush();
    } else if (this.checked) this.write(this.checked.cell);
  }

  /** Asks the page around the form to write the cell; whoever does it cancels the event. */
  private write(text: string): void {
    const detail: WriteCell = { text, run: true };
    const event = new CustomEvent(WRITE_CELL, { bubbles: true, cancelable: true, detail });
    if (this.element.dispatchEvent(event)) void this.askToCopy(text);
    else this.collapse(true);
  }

  /** Without JupyterLab around, nobody can write a cell but the user, who gets its text. */
  private async askToCopy(text: string): Promise<void> {
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
    label.nodeValue = t("Copied");
    setTimeout(() => (label.nodeValue = t("Copy")), COPIED_TIME);
  }

  private collapse(on: boolean): void {
    const hadFocus = this.element.contains(document.activeElement);
    this.body.hidden = on;
    this.written.hidden = !on;
    const next = on ? this.written.querySelector("button") : this.foot.button;
    if (hadFocus) next?.focus({ preventScroll: true });
  }
}
