/** One drawn row. It changes in place: a cell is drawn again only when it says something else. */
import type { Row } from "../../wire";
import { canStop } from "../scan/rows";
import { button, drawIfChanged, h, setAttributes } from "../ui/dom";
import { icon } from "../ui/icons";
import { clip } from "../ui/text";
import {
  type Abilities,
  type CellContent,
  cellContent,
  type CellContext,
  isBest,
  reasonContent,
  reasonSpan,
} from "./cellcontent";
import type { Column } from "./columns";
import { type RowAction } from "./gridcontrol";
import { type Line, stateOf } from "./order";
import { paintCell } from "./paintcell";

export const ROW = 24;

export interface Placed {
  line: Line;
  index: number;
  columns: readonly Column[];
  context: CellContext;
  tabStop: boolean;
}

interface Cell {
  element: HTMLElement;
  said: string;
}

interface Slot {
  column: Column;
  span: number;
}

/** The cells of a row: one per column, or fewer where a reason takes several. */
function slots(line: Line, columns: readonly Column[]): Slot[] {
  const reason = reasonSpan(line, columns);
  if (!reason) return columns.map((column) => ({ column, span: 1 }));
  const [from, count] = reason;
  return columns.flatMap((column, i) => {
    if (i > from && i < from + count) return [];
    return [{ column, span: i === from ? -count : 1 }];
  });
}

const base = ({ right, kind }: Column): string =>
  [right && "gg-n", kind === "time" && "gg-time"].filter(Boolean).join(" ");

export class RowView {
  readonly element = h("div", { class: "gg-row", role: "row", tabindex: -1 });
  line: Line | null = null;
  private cells: Cell[] = [];
  private shape = "";
  private readonly actions = h("div", { class: "gg-act", role: "gridcell" });

  update({ line, index, columns, context, tabStop }: Placed): void {
    this.line = line;
    const chosen = line.rows.every((row) => context.selected.has(row.id));
    setAttributes(this.element, {
      "data-id": line.key,
      "data-state": stateOf(line),
      "data-best": isBest(line, context.scan),
      "aria-rowindex": index + 2,
      "aria-selected": String(chosen),
      "aria-expanded": line.fold ? String(context.open.has(line.key)) : null,
      "aria-level": line.depth ? 2 : null,
      tabindex: tabStop ? 0 : -1,
    });
    this.element.style.transform = `translateY(${index * ROW}px)`;
    this.fill(slots(line, columns), line, context);
    this.offer(line, context);
  }

  private fill(wanted: Slot[], line: Line, context: CellContext): void {
    const shape = wanted.map(({ column, span }) => `${column.key} ${span}`).join("\n");
    if (shape !== this.shape) this.rebuild(wanted, shape);
    wanted.forEach(({ column, span }, i) => {
      const piece = span < 0 ? reasonContent(line, context) : cellContent(line, column, context);
      this.say(this.cells[i], piece, span < 0 ? "" : base(column));
    });
  }

  private rebuild(wanted: Slot[], shape: string): void {
    this.shape = shape;
    let start = 1;
    this.cells = wanted.map(({ column, span }) => {
      const hook = { role: "gridcell", "data-col": column.hook };
      const element = h("div", { ...hook, "aria-colspan": span < 0 ? -span : null });
      element.style.gridColumn = `${start} / span ${Math.abs(span)}`;
      start += Math.abs(span);
      return { element, said: "" };
    });
    this.element.replaceChildren(...this.cells.map(({ element }) => element), this.actions);
  }

  private say(cell: Cell | undefined, piece: CellContent, classes: string): void {
    const said = classes + JSON.stringify(piece);
    if (!cell || cell.said === said) return;
    cell.said = said;
    paintCell(cell.element, piece, classes);
  }

  private offer(line: Line, context: CellContext): void {
    const href = line.fold ? null : context.href(line.row);
    const { notebook } = context.can;
    const wanted = offered(line, context.can);
    const signature = [line.key, href, notebook, ...wanted].join("\n");
    drawIfChanged(this.actions, signature, () =>
      wanted.map((action) => actionButton(action, line.key, href, notebook)),
    );
  }
}

/** A notebook that can be opened: saved, or with a host that knows how far it is. */
const hasNotebook = (row: Row, can: Abilities): boolean =>
  row.notebook !== null || (can.notebook && row.state === "running");

/** What can be done with a line now. */
export function offered(line: Line, can: Abilities): RowAction[] {
  const notebook: RowAction[] = !line.fold && hasNotebook(line.row, can) ? ["notebook"] : [];
  const log: RowAction[] = line.fold ? [] : ["log"];
  if (!can.command) return [...notebook, ...log];
  const retry = line.rows.some((row) => !canStop(row)) ? (["retry"] as const) : [];
  const stop = line.rows.some(canStop) ? (["stop"] as const) : [];
  return [...notebook, ...log, ...retry, ...stop];
}

const LABELS: Record<RowAction, (name: string) => string> = {
  open: (name) => `Open ${name}`,
  notebook: (name) => `Open notebook of ${name}`,
  log: (name) => `Log of ${name}`,
  retry: (name) => `Run ${name} again`,
  stop: (name) => `Stop ${name}`,
};

/** `opens`: the host opens notebooks; else there may be a way through the page's own server. */
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
  const link = { ...common, href, target: "_blank", rel: "noopener" };
  return h("a", { ...link, "aria-label": label, title: label }, icon(action));
}
