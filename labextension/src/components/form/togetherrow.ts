/** Parameters that take their values together: a small table with a row for each point. */
import { button, h, setText } from "../ui/dom";
import { t } from "../ui/i18n";
import { icon } from "../ui/icons";
import type { MenuItem } from "../ui/popup";
import { ComplaintBox, input, select } from "./inputs";
import type { CheckedForm } from "./messages";
import type { TogetherRow } from "./rows";
import { lineOf, type RowEvents, rowMenu, type RowView } from "./rowview";

/** What the table asks of the list around it. */
export interface TogetherEvents extends RowEvents {
  /** The parameters that may join. */
  others(): string[];
  /** Lets a parameter join, or leave. */
  join(name: string): void;
  leave(name: string): void;
}

/** The table. It writes into `row` what the user types. */
export class TogetherView implements RowView {
  readonly element: HTMLElement;
  private readonly table = h("div", { class: "gf-together" });
  private readonly points = h("div", { class: "gf-points" });
  private readonly complaint = new ComplaintBox(() => undefined);
  /** The inputs, by row and column: `0,1`. */
  private inputs = new Map<string, HTMLInputElement>();

  constructor(
    private readonly row: TogetherRow,
    private readonly events: TogetherEvents,
  ) {
    const label = t("Together: %1", row.names.join(", "));
    const title = t("These parameters take their values together, row by row");
    this.element = lineOf(label, t("together"), title);
    const values = h("div", { class: "gf-formula" }, this.table, this.complaint.element);
    const more = rowMenu(() => this.menuItems(), t("More for this row"));
    this.element.append(values, this.points, more);
    this.draw();
  }

  update(checked: CheckedForm): void {
    const { id } = this.row;
    const complaint = checked.errors.find(({ field }) => field === id) ?? null;
    const blamed = complaint ? this.inputs.get(complaint.part) : undefined;
    this.complaint.update(complaint, [...this.inputs.values()], blamed ? [blamed] : []);
    this.element.classList.toggle("gf-bad", complaint !== null);
    const each = Object.hasOwn(checked.each, id) ? checked.each[id] : null;
    setText(this.points, typeof each === "number" ? `× ${each}` : "");
  }

  focus(): void {
    const boxes = [...this.inputs.values()];
    const wrong = boxes.find((one) => one.hasAttribute("aria-invalid"));
    const empty = boxes.find((one) => !one.value);
    (wrong ?? empty ?? boxes[0] ?? this.element.querySelector("select"))?.focus();
  }

  private draw(): void {
    this.inputs = new Map();
    const { names, cells } = this.row;
    const head = names.map((name) => h("span", { class: "gg-c" }, name));
    const rows = cells.map((line, number) => this.line(line, number));
    const add = h("button", { type: "button" }, icon("plus"), t("Row"));
    add.addEventListener("click", () => this.addRow());
    this.table.style.setProperty("--gf-columns", String(Math.max(1, names.length)));
    this.table.replaceChildren(
      h("div", { class: "gf-together-line" }, ...head, this.chooser()),
      ...rows,
      h("div", {}, add),
    );
  }

  private line(line: string[], number: number): HTMLElement {
    const boxes = this.row.names.map((name, place) => {
      const label = t("%1 in row %2", name, number + 1);
      const box = input({ label, value: line[place] ?? "", width: "gf-cellbox" }, (text) => {
        line[place] = text;
        this.events.changed();
      });
      this.inputs.set(`${number},${place}`, box);
      return box;
    });
    const away = button(t("Remove row %1", number + 1), [icon("close")], { class: "gg-i" });
    away.addEventListener("click", () => this.removeRow(number));
    return h("div", { class: "gf-together-line" }, ...boxes, away);
  }

  /** A choice of one more parameter that joins. */
  private chooser(): HTMLElement | null {
    const others = this.events.others();
    if (!others.length) return null;
    const choices = [
      { value: "", text: t("add a parameter") },
      ...others.map((name) => ({ value: name, text: name })),
    ];
    const look = { label: t("Add a parameter"), value: "", width: "gf-add-name" };
    return select(look, choices, (name) => name && this.events.join(name));
  }

  private addRow(): void {
    this.row.cells.push(this.row.names.map(() => ""));
    this.draw();
    this.focus();
    this.events.changed();
  }

  private removeRow(number: number): void {
    this.row.cells.splice(number, 1);
    this.draw();
    const next = this.table.querySelectorAll<HTMLElement>("button");
    next[Math.min(number, next.length - 1)]?.focus();
    this.events.changed();
  }

  private menuItems(): MenuItem[] {
    const leave = this.row.names.map((name) => ({
      text: t("Take %1 out", name),
      act: () => this.events.leave(name),
    }));
    return [...leave, ...this.events.moves()];
  }
}
