/** Rows of one text: a condition, a constraint, or lines of the cell as they are. */
import { h, setAttributes, setText } from "../ui/dom";
import { t } from "../ui/i18n";
import type { MenuItem } from "../ui/popup";
import { clip } from "../ui/text";
import { ComplaintBox, input, textarea } from "./inputs";
import type { CheckedForm } from "./messages";
import type { TextRow } from "./rows";
import { lineOf, type RowEvents, rowMenu, type RowView } from "./rowview";

/** So many lines are shown at once. */
const MOST_LINES = 12;
/** What a row of text says of itself: its label, its explanation, and an example. */
const LOOKS = {
  if: {
    label: "Condition",
    title: "The rows below it count only where it holds",
    hint: 'for example optimizer == "sgd"',
  },
  elif: {
    label: "Otherwise, if",
    title: "The rows below it count where this holds, and what stands above does not",
    hint: 'for example optimizer == "adam"',
  },
  else: {
    label: "Otherwise",
    title: "The rows below it count where nothing above holds",
    hint: "",
  },
  assert: {
    label: "Constraint",
    title: "Only points for which it holds are tried",
    hint: "for example units * layers <= 400",
  },
  text: {
    label: "Lines of the cell",
    title: "Lines of the cell that the form shows as they are",
    hint: "",
  },
};

/** The name of a row for people: `if optimizer == "sgd"`. */
export const rowLabel = ({ row, text }: TextRow): string =>
  clip(row === "text" ? t("Lines") : `${row} ${text}`.trim(), 60);

/** One of these rows. It writes into `row` what the user types. */
export class TextRowView implements RowView {
  readonly element: HTMLElement;
  private readonly box: HTMLInputElement | HTMLTextAreaElement | null;
  private readonly points = h("div", { class: "gf-points" });
  private readonly complaint = new ComplaintBox(({ suggestion }) => this.take(suggestion));

  constructor(
    private readonly row: TextRow,
    private readonly events: RowEvents,
    /** Entries of the menu for the kind of the row. */
    menu: () => MenuItem[],
    /** A choice of parameters for the rows below it. */
    chooser: HTMLElement | null = null,
  ) {
    const { label, title } = LOOKS[row.row];
    const word = row.row === "text" ? t("lines") : row.row;
    this.element = lineOf(rowLabel(row), word, t(title));
    this.box = this.makeBox(t(label));
    const values = h("div", { class: "gf-formula" });
    if (this.box) values.append(this.box);
    if (chooser) values.append(chooser);
    values.append(this.complaint.element);
    const more = rowMenu(() => [...menu(), ...events.moves()], t("More for this row"));
    this.element.append(values, this.points, more);
  }

  update(checked: CheckedForm): void {
    const { id, row } = this.row;
    const complaint = checked.errors.find(({ field }) => field === id) ?? null;
    const boxes = this.box ? [this.box] : [];
    this.complaint.update(complaint, boxes, boxes);
    this.element.classList.toggle("gf-bad", complaint !== null);
    const { grid, unconstrained } = checked;
    const left = row === "assert" && grid !== null && unconstrained !== null && !complaint;
    setText(this.points, left ? t("%1 of %2", grid, unconstrained) : "");
  }

  focus(): void {
    (this.box ?? this.element.querySelector<HTMLElement>("select, button"))?.focus();
  }

  private makeBox(label: string): HTMLInputElement | HTMLTextAreaElement | null {
    const { row, text } = this.row;
    if (row === "else") return null;
    const look = { label, value: text, width: "gf-full", hint: t(LOOKS[row].hint) };
    const set = (typed: string): void => {
      this.row.text = typed;
      this.rename();
      this.events.changed();
    };
    if (row !== "text") return input(look, set);
    const box = textarea(look, set);
    box.rows = Math.min(text.split("\n").length, MOST_LINES);
    return box;
  }

  /** The row, and the group of those below it, are called by what is typed. */
  private rename(): void {
    const label = { "aria-label": rowLabel(this.row) };
    setAttributes(this.element, label);
    const block = this.element.parentElement;
    if (block?.classList.contains("gf-block")) setAttributes(block, label);
  }

  private take(suggestion: string | null): void {
    if (suggestion === null || !this.box) return;
    this.box.value = suggestion;
    this.row.text = suggestion;
    this.rename();
    this.box.focus();
    this.events.changed();
  }
}
