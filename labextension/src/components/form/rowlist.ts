/** All rows of the form, those below a condition indented, and what changes their order. */
import { button, h, setAttributes } from "../ui/dom";
import { t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { type MenuItem, PopupMenu } from "../ui/popup";
import { select } from "./inputs";
import type { CheckedForm, FormContent, Parameter } from "./messages";
import { ParameterRow } from "./parameterrow";
import {
  addBranch,
  addTo,
  blockEnd,
  chainStart,
  given,
  insert,
  isBranch,
  isHeader,
  moveDown,
  moveUp,
  type ParameterChoice,
  putUnder,
  remove,
  type Row,
  rowOf,
  type TextRow,
  type TogetherRow,
} from "./rows";
import type { RowEvents, RowView } from "./rowview";
import { rowLabel, TextRowView } from "./textrow";
import { TogetherView } from "./togetherrow";

/** Draws the rows. When their order changes, all are drawn anew. */
export class RowList {
  readonly element = h("div", { class: "gf-table" });
  private views = new Map<string, RowView>();
  private readonly parameters: ReadonlyMap<string, Parameter>;
  private checked: CheckedForm | null = null;

  constructor(
    content: FormContent,
    private readonly rows: Row[],
    private readonly changed: () => void,
  ) {
    this.parameters = new Map(content.parameters.map((one) => [one.name, one]));
    this.draw();
  }

  update(checked: CheckedForm): void {
    this.checked = checked;
    for (const view of this.views.values()) view.update(checked);
  }

  has(id: string): boolean {
    return this.views.has(id);
  }

  focus(id: string): void {
    this.views.get(id)?.focus();
  }

  /** The name of a row for people. */
  label(id: string): string {
    const row = this.rows.find((one) => one.id === id);
    if (!row) return id;
    if (row.row === "parameter") return row.name;
    return row.row === "together" ? row.names.join(", ") : rowLabel(row);
  }

  private draw(): void {
    this.views = new Map();
    const names = [t("parameter"), t("default"), t("vary it as"), t("value"), t("points"), ""];
    const head = h("div", { class: "gf-row gf-names", "aria-hidden": "true" });
    head.append(...names.map((name) => h("div", {}, name)));
    this.element.replaceChildren(head, ...this.drawn(0, this.rows.length), this.makeAdd());
  }

  /** The elements of the rows from `start` to `end`; a condition is a group with its rows. */
  private drawn(start: number, end: number): HTMLElement[] {
    const elements: HTMLElement[] = [];
    for (let at = start; at < end;) {
      const row = this.rows[at];
      if (!row) break;
      const { element } = this.view(row);
      element.style.setProperty("--gf-level", String(row.level));
      let behind = at + 1;
      if (isHeader(row)) {
        while (behind < end && (this.rows[behind]?.level ?? 0) > row.level) behind += 1;
        const block = h("div", { class: "gf-block", role: "group" }, element);
        setAttributes(block, { "aria-label": this.label(row.id) });
        // The group has the name already.
        element.setAttribute("role", "presentation");
        block.append(...this.drawn(at + 1, behind));
        elements.push(block);
      } else elements.push(element);
      at = behind;
    }
    return elements;
  }

  private view(row: Row): RowView {
    const view = this.makeView(row);
    this.views.set(row.id, view);
    return view;
  }

  private makeView(row: Row): RowView {
    const events = this.eventsOf(row);
    if (row.row === "together") return this.makeTogether(row, events);
    if (row.row !== "parameter") {
      const chooser = isHeader(row) ? this.chooser(row) : null;
      return new TextRowView(row, events, () => this.branchItems(row), chooser);
    }
    const parameter = this.parameters.get(row.name);
    if (!parameter) throw new Error(`no parameter ${row.name}`);
    return new ParameterRow(parameter, row, events);
  }

  private eventsOf(row: Row): RowEvents {
    return {
      changed: () => this.changed(),
      condition: () => this.addCondition(this.rows.indexOf(row)),
      together: () => this.addTogether(given(row), this.rows.indexOf(row)),
      moves: () => this.moves(row),
    };
  }

  private makeTogether(row: TogetherRow, events: RowEvents): TogetherView {
    return new TogetherView(row, {
      ...events,
      others: () => this.free(this.rows.indexOf(row)),
      join: (name) => this.join(row, name),
      leave: (name) => this.leave(row, name),
    });
  }

  /** The parameters with a row of their own that may come into the block of the row at `at`. */
  private free(at: number): string[] {
    const inside = new Set(this.inBranch(at));
    return [...this.parameters.keys()].filter(
      (name) =>
        !inside.has(name) && this.rows.some((row) => row.row === "parameter" && row.name === name),
    );
  }

  private inBranch(at: number): string[] {
    const level = this.rows[at]?.level ?? 0;
    let end = at + 1;
    while ((this.rows[end]?.level ?? -1) > level) end += 1;
    return this.rows.slice(at + 1, end).flatMap((row) => [...given(row)]);
  }

  /** A choice of one more parameter for the rows below a condition. */
  private chooser(row: Row): HTMLElement {
    const names = this.free(this.rows.indexOf(row));
    const choices = [
      { value: "", text: t("add a parameter") },
      ...names.map((name) => ({ value: name, text: name })),
    ];
    const look = { label: t("Add a parameter below"), value: "", width: "gf-add-name" };
    return select(look, choices, (name) => {
      if (!name) return;
      addTo(this.rows, this.rows.indexOf(row), name, () => this.fresh(name));
      this.rearranged(this.rows.findLast((one) => given(one).includes(name)) ?? row);
    });
  }

  private branchItems(row: TextRow): MenuItem[] {
    if (row.row !== "if" && row.row !== "elif") return [];
    const at = this.rows.indexOf(row);
    const items = [{ text: t("Or if another holds (elif)"), act: () => this.branch(row, "elif") }];
    const chain = this.rows.slice(
      chainStart(this.rows, at),
      blockEnd(this.rows, chainStart(this.rows, at)),
    );
    const hasElse = chain.some((one) => one.row === "else" && one.level === row.level);
    if (!hasElse) items.push({ text: t("Otherwise (else)"), act: () => this.otherwise(row) });
    return items;
  }

  private branch(row: TextRow, word: "elif"): void {
    const branch = this.textRow(word, row.level);
    addBranch(this.rows, this.rows.indexOf(row), branch);
    this.rearranged(branch);
  }

  /** An `else` stands behind all other branches. */
  private otherwise(row: TextRow): void {
    const branch = this.textRow("else", row.level);
    insert(this.rows, blockEnd(this.rows, chainStart(this.rows, this.rows.indexOf(row))), branch);
    this.rearranged(branch);
  }

  private moves(row: Row): MenuItem[] {
    const items: MenuItem[] = [];
    const move = (how: typeof moveUp): void => {
      if (how(this.rows, this.rows.indexOf(row))) this.rearranged(row);
    };
    if (!isBranch(row)) {
      items.push({ text: t("Move up"), act: () => move(moveUp) });
      items.push({ text: t("Move down"), act: () => move(moveDown) });
    }
    // Each parameter has a row.
    const twice = (name: string): boolean =>
      this.rows.filter((one) => given(one).includes(name)).length > 1;
    const removable = row.row !== "parameter" || twice(row.name);
    if (removable) items.push({ text: t("Remove"), act: () => this.remove(row) });
    return items;
  }

  private remove(row: Row): void {
    const at = this.rows.indexOf(row);
    remove(this.rows, at, (name) => this.fresh(name));
    const next = this.rows[Math.min(at, this.rows.length - 1)];
    if (next) this.rearranged(next);
  }

  private addCondition(at: number): void {
    const condition = this.textRow("if", this.rows[at]?.level ?? 0);
    putUnder(this.rows, at, condition);
    this.rearranged(condition);
  }

  private addTogether(names: readonly string[], at: number): void {
    const row: TogetherRow = {
      ...{ id: this.newId(), row: "together", level: this.rows[at]?.level ?? 0, note: "" },
      ...{ names: [], cells: [[], []] },
    };
    insert(this.rows, at, row);
    for (const name of names) this.take(row, name);
    this.rearranged(row);
  }

  /** Lets a parameter join others; its own row goes. */
  private take(row: TogetherRow, name: string): void {
    const from = rowOf(this.rows, name, this.rows.indexOf(row));
    const [own] = from < 0 ? [] : this.rows.splice(from, 1);
    row.names.push(name);
    const first = own?.row === "parameter" ? own.value : "";
    row.cells.forEach((line, number) => line.push(number ? "" : first));
  }

  private join(row: TogetherRow, name: string): void {
    this.take(row, name);
    this.rearranged(row);
  }

  private leave(row: TogetherRow, name: string): void {
    const place = row.names.indexOf(name);
    row.names.splice(place, 1);
    for (const line of row.cells) line.splice(place, 1);
    const at = this.rows.indexOf(row);
    insert(this.rows, at + 1, { ...this.fresh(name), level: row.level });
    if (!row.names.length) this.rows.splice(at, 1);
    this.rearranged(row.names.length ? row : (this.rows[at] ?? row));
  }

  /** The button that adds what is no parameter. */
  private makeAdd(): HTMLElement {
    const items = (): MenuItem[] => [
      { text: t("Condition: if …"), act: () => this.addText("if") },
      { text: t("Constraint: assert …"), act: () => this.addText("assert") },
      { text: t("Values together…"), act: () => this.addTogether([], this.rows.length) },
    ];
    const label = t("Add a condition or a constraint");
    const add = button(label, [icon("plus"), t("Add")], { "aria-haspopup": "menu" });
    const { element } = new PopupMenu(items, label, add);
    return h("div", { class: "gf-row gf-add" }, element);
  }

  private addText(word: "if" | "assert"): void {
    const row = this.textRow(word, 0);
    this.rows.push(row);
    this.rearranged(row);
  }

  private textRow(row: TextRow["row"], level: number): TextRow {
    return { id: this.newId(), row, level, note: "", text: "", names: [] };
  }

  private fresh(name: string): ParameterChoice {
    const parameter = this.parameters.get(name);
    if (!parameter) throw new Error(`no parameter ${name}`);
    const taken = this.rows.some(({ id }) => id === name);
    return { ...parameter.start, id: taken ? this.newId() : name };
  }

  /** A name that no row has; no option begins like this, and no parameter. */
  private newId(): string {
    const numbers = this.rows.map(({ id }) => Number(/^row (\d+)$/.exec(id)?.[1] ?? 0));
    return `row ${Math.max(0, ...numbers) + 1}`;
  }

  /** Draws the rows in their new order, and focuses one of them. */
  private rearranged(row: Row): void {
    this.draw();
    if (this.checked) for (const view of this.views.values()) view.update(this.checked);
    this.focus(row.id);
    this.changed();
  }
}
