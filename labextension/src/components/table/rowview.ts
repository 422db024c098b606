/** One drawn row. It changes in place: a cell is painted again only when it says something else. */
import type { Row } from "../../wire";
import { canStop } from "../scan/rows";
import { button, drawIfChanged, h, setAttributes } from "../ui/dom";
import { icon } from "../ui/icons";
import { clip } from "../ui/text";
import { type CellContent, cellContent } from "./cellcontent";
import type { Abilities, CellContext } from "./cellcontext";
import type { Column } from "./columns";
import type { RowAction } from "./gridcontrol";
import { isBest, type Line, stateOf } from "./lines";
import { paintCell } from "./paintcell";
import { reasonContent, reasonSpan } from "./reasons";

/** The height of a row in pixels; table.css has the same number. */
export const ROW_HEIGHT = 24;

/** A line at its place in the grid. */
export interface PlacedLine {
  line: Line;
  index: number;
  columns: readonly Column[];
  context: CellContext;
  /** The Tab key reaches this row. */
  tabStop: boolean;
}

interface Cell {
  element: HTMLElement;
  /** What the cell shows, as a text that is compared. */
  shown: string;
}

/** The place of a cell in a row. */
interface Slot {
  column: Column;
  /** How many columns it takes. */
  span: number;
  /** The cell says why the row has no value. */
  hasReason: boolean;
}

/** The cells of a row: one for each column, or fewer where a reason takes several. */
function slots(line: Line, columns: readonly Column[]): Slot[] {
  const plain = columns.map((column) => ({ column, span: 1, hasReason: false }));
  const reason = reasonSpan(line, columns);
  if (!reason) return plain;
  const [from, count] = reason;
  return plain
    .filter((_, i) => i <= from || i >= from + count)
    .map((slot, i) => (i === from ? { ...slot, span: count, hasReason: true } : slot));
}

const baseClasses = ({ right, kind }: Column): string =>
  [right && "gg-n", kind === "time" && "gg-time"].filter(Boolean).join(" ");

/** The element of one row. It is used again for other lines as the grid scrolls. */
export class RowView {
  readonly element = h("div", { class: "gg-row", role: "row", tabindex: -1 });
  line: Line | null = null;
  private cells: Cell[] = [];
  private shape = "";
  private readonly actions = h("div", { class: "gg-act", role: "gridcell" });

  update({ line, index, columns, context, tabStop }: PlacedLine): void {
    this.line = line;
    const selected = line.rows.every((row) => context.selected.has(row.id));
    setAttributes(this.element, {
      "data-id": line.key,
      "data-state": stateOf(line),
      "data-best": isBest(line, context.scan),
      // The header is row 1.
      "aria-rowindex": index + 2,
      "aria-selected": String(selected),
      "aria-expanded": line.isGroup ? String(context.openGroups.has(line.key)) : null,
      "aria-level": line.depth ? 2 : null,
      tabindex: tabStop ? 0 : -1,
    });
    this.element.style.transform = `translateY(${index * ROW_HEIGHT}px)`;
    this.fill(slots(line, columns), line, context);
    this.offer(line, context);
  }

  private fill(wanted: Slot[], line: Line, context: CellContext): void {
    const shape = wanted
      .map(({ column, span, hasReason }) => `${column.key} ${span} ${hasReason}`)
      .join("\n");
    if (shape !== this.shape) this.rebuild(wanted, shape);
    wanted.forEach(({ column, hasReason }, i) => {
      if (hasReason) this.show(this.cells[i], reasonContent(line, context), "");
      else this.show(this.cells[i], cellContent(line, column, context), baseClasses(column));
    });
  }

  private rebuild(wanted: Slot[], shape: string): void {
    this.shape = shape;
    let start = 1;
    this.cells = wanted.map(({ column, span, hasReason }) => {
      const colspan = hasReason ? span : null;
      const hook = { role: "gridcell", "data-col": column.hook };
      const element = h("div", { ...hook, "aria-colspan": colspan });
      element.style.gridColumn = `${start} / span ${span}`;
      start += span;
      return { element, shown: "" };
    });
    this.element.replaceChildren(...this.cells.map(({ element }) => element), this.actions);
  }

  private show(cell: Cell | undefined, content: CellContent, classes: string): void {
    const shown = classes + JSON.stringify(content);
    if (!cell || cell.shown === shown) return;
    cell.shown = shown;
    paintCell(cell.element, content, classes);
  }

  private offer(line: Line, context: CellContext): void {
    const href = line.isGroup ? null : context.href(line.row);
    const { notebook } = context.abilities;
    const wanted = offeredActions(line, context.abilities);
    const signature = [line.key, href, notebook, ...wanted].join("\n");
    drawIfChanged(this.actions, signature, () =>
      wanted.map((action) => actionButton(action, line.key, href, notebook)),
    );
  }
}

/** Whether a notebook can be opened: it is saved, or the host can show one that still grows. */
const hasNotebook = (row: Row, abilities: Abilities): boolean =>
  row.notebook !== null || (abilities.notebook && row.state === "running");

/** What can be done with a line now. */
export function offeredActions(line: Line, abilities: Abilities): RowAction[] {
  const actions: RowAction[] = [];
  if (!line.isGroup && hasNotebook(line.row, abilities)) actions.push("notebook");
  if (!line.isGroup) actions.push("log");
  if (!abilities.command) return actions;
  if (line.rows.some((row) => !canStop(row))) actions.push("retry");
  if (line.rows.some(canStop)) actions.push("stop");
  return actions;
}

const LABELS: Record<RowAction, (name: string) => string> = {
  open: (name) => `Open ${name}`,
  notebook: (name) => `Open notebook of ${name}`,
  log: (name) => `Log of ${name}`,
  retry: (name) => `Run ${name} again`,
  stop: (name) => `Stop ${name}`,
};

/**
 * The button of an action.
 *
 * `opens` says that the host opens notebooks. Without it, `href` is the address of the notebook in
 * the server of the page; where there is none, the path of the notebook is copied.
 */
export function actionButton(
  action: RowAction,
  id: string,
  href: string | null,
  opens: boolean,
): HTMLElement {
  const name = clip(id, 40);
  const label = LABELS[action](name);
  const common = { class: "gg-i", "data-act": action, tabindex: -1 };
  if (action !== "notebook" || !href) {
    const copies = action === "notebook" && !opens;
    const title = copies ? `Copy the path of ${name}'s notebook` : label;
    return button(label, [icon(action)], { ...common, title });
  }
  // A link, so that the browser's own ways to open it in a new tab work.
  const link = { ...common, href, target: "_blank", rel: "noopener" };
  return h("a", { ...link, "aria-label": label, title: label }, icon(action));
}
