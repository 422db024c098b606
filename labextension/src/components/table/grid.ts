/** The grid of the table. */
import { h, near, setAttributes } from "../ui/dom";
import type { CellContext } from "./cellcontext";
import { gridTemplate } from "./columnlayout";
import type { Column } from "./columns";
import { type GridControl, type GridEvents, type RowAction } from "./gridcontrol";
import { GridHead, type SelectionMark } from "./gridhead";
import { GridKeys } from "./gridkeys";
import type { Line, Sort } from "./lines";
import { ROW_HEIGHT, RowView } from "./rowview";

/** The height of the header in pixels; table.css has the same number. */
const HEAD_HEIGHT = 26;
/** So many rows above and below those in view are drawn too, so that scrolling shows no gaps. */
const EXTRA_ROWS = 4;
/** A grid with more rows scrolls. */
export const MOST_ROWS = 20;

/**
 * The header and the lines of the table.
 *
 * A scan may have ten thousand rows. Only those in view are in the document, and the one that has
 * the focus, since the focus would be lost with its element.
 */
export class Grid implements GridControl {
  readonly head = new GridHead();
  readonly element = h("div", {
    class: "gg-grid",
    role: "grid",
    "aria-label": "Variants",
    "aria-multiselectable": "true",
  });
  lines: readonly Line[] = [];
  /** The key of the line that has the tab stop; null for the first one. */
  private active: string | null = null;
  private readonly body = h("div", { class: "gg-body", role: "rowgroup" });
  private readonly views = new Map<string, RowView>();
  private columns: readonly Column[] = [];
  private context: CellContext | null = null;
  /** The index of each line, by its key. */
  private places = new Map<string, number>();
  private pointerInside = false;
  /** The height of the lines that are shown at once, in pixels. */
  private room = 0;

  constructor(readonly events: GridEvents) {
    this.element.append(this.head.element, this.body);
    this.element.addEventListener("scroll", () => this.draw(), { passive: true });
    this.element.addEventListener("click", (event) => this.click(event));
    this.element.addEventListener("focusin", (event) => this.focused(event));
    this.element.addEventListener("focusout", () => setTimeout(() => this.release()));
    this.element.addEventListener("pointerenter", () => (this.pointerInside = true));
    this.element.addEventListener("pointerleave", () => this.leave());
    const keys = new GridKeys(this);
    this.element.addEventListener("keydown", (event) => keys.down(event));
  }

  /** Whether somebody looks closely at the rows, so that they must keep their places. */
  held(): boolean {
    return this.pointerInside || this.element.contains(document.activeElement);
  }

  setColumns(columns: readonly Column[]): void {
    this.columns = columns;
    this.element.style.setProperty("--gg-cols", gridTemplate(columns));
    const width = columns.reduce((sum, column) => sum + column.width, 0);
    this.element.style.setProperty("--gg-least", `${width}px`);
    setAttributes(this.element, { "aria-colcount": columns.length });
  }

  /** Takes other lines; the grid is at least as high as `most` rows, as far as it may be. */
  setLines(lines: readonly Line[], most: number): void {
    const before = this.index();
    this.lines = lines;
    this.places = new Map(lines.map((line, i) => [line.key, i]));
    this.body.style.height = `${lines.length * ROW_HEIGHT}px`;
    const rows = Math.max(1, Math.min(MOST_ROWS, Math.max(most, lines.length)));
    this.room = rows * ROW_HEIGHT;
    this.element.style.setProperty("--gg-room", `${this.room + HEAD_HEIGHT}px`);
    setAttributes(this.element, { "aria-rowcount": lines.length + 1 });
    if (this.active !== null && !this.places.has(this.active)) this.replaceActive(before);
  }

  /** Draws what has changed in the lines in view. */
  update(context: CellContext, sort: Sort): void {
    this.context = context;
    this.head.update(this.columns, sort, this.selectionMark(context));
    this.draw();
  }

  private selectionMark(context: CellContext): SelectionMark {
    // Thousands of lines need not be looked at where nothing is selected.
    if (context.selected.size === 0) return "";
    const selected = this.lines.filter((line) => this.events.isSelected(line)).length;
    if (selected === 0) return "";
    return selected === this.lines.length ? "gg-on" : "gg-mid";
  }

  index(): number {
    return this.active === null ? 0 : (this.places.get(this.active) ?? 0);
  }

  page(): number {
    return Math.max(1, Math.floor((this.element.clientHeight || this.room) / ROW_HEIGHT) - 2);
  }

  focusLine(index: number): void {
    const line = this.lines[index];
    if (!line) return;
    this.active = line.key;
    this.reveal(index);
    this.draw();
    this.views.get(line.key)?.element.focus({ preventScroll: true });
  }

  /** Focuses the line with a key; returns false where there is none. */
  focusKey(key: string): boolean {
    const index = this.places.get(key);
    if (index !== undefined) this.focusLine(index);
    return index !== undefined;
  }

  actionOf(key: string, action: RowAction): HTMLElement | null {
    const row = this.views.get(key)?.element;
    return row?.querySelector<HTMLElement>(`.gg-act [data-act="${action}"]`) ?? null;
  }

  /** Scrolls until a line is in view. */
  private reveal(index: number): void {
    const { scrollTop } = this.element;
    const height = (this.element.clientHeight || this.room + HEAD_HEIGHT) - HEAD_HEIGHT;
    const top = index * ROW_HEIGHT;
    const bottom = top + ROW_HEIGHT;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (bottom > scrollTop + height) this.element.scrollTop = bottom - height;
  }

  /** The indexes of the first and the last line to draw. */
  private window(): [first: number, last: number] {
    // Before the grid is in a page it has no height, and then the first rows are drawn.
    const connected = this.element.isConnected && this.element.clientHeight > 0;
    const height = connected ? this.element.clientHeight : this.room + HEAD_HEIGHT;
    // After rows were taken away, the browser may not have corrected the scrolling yet.
    const furthest = Math.max(0, this.lines.length * ROW_HEIGHT - height + HEAD_HEIGHT);
    const top = Math.min(this.element.isConnected ? this.element.scrollTop : 0, furthest);
    const first = Math.max(0, Math.floor(top / ROW_HEIGHT) - EXTRA_ROWS);
    const last = Math.ceil((top + height) / ROW_HEIGHT) + EXTRA_ROWS;
    return [first, Math.min(this.lines.length - 1, last)];
  }

  /** The keys and indexes of the lines to draw. */
  private wanted(): Map<string, number> {
    const [first, last] = this.window();
    const wanted = new Map<string, number>();
    for (let i = first; i <= last; i += 1) {
      const line = this.lines[i];
      if (line) wanted.set(line.key, i);
    }
    const active = this.active === null ? undefined : this.places.get(this.active);
    if (active !== undefined && this.active !== null) wanted.set(this.active, active);
    return wanted;
  }

  private draw(): void {
    if (!this.context) return;
    const wanted = this.wanted();
    // Rows that went out of view are used again for those that came into it.
    const spare: RowView[] = [];
    for (const [key, view] of this.views) {
      if (wanted.has(key)) continue;
      this.views.delete(key);
      spare.push(view);
    }
    const stop = this.lines[this.index()]?.key;
    for (const [key, index] of wanted) this.place(key, index, key === stop, spare);
    for (const view of spare) view.element.remove();
  }

  private place(key: string, index: number, tabStop: boolean, spare: RowView[]): void {
    const line = this.lines[index];
    if (!line || !this.context) return;
    let view = this.views.get(key);
    if (!view) {
      view = spare.pop() ?? new RowView();
      this.views.set(key, view);
      if (!view.element.isConnected) this.body.append(view.element);
    }
    view.update({ line, index, columns: this.columns, context: this.context, tabStop });
  }

  /** The line with the focus is gone: the one now in its place takes over. */
  private replaceActive(index: number): void {
    const focused = this.body.contains(document.activeElement);
    const line = this.lines[Math.min(index, this.lines.length - 1)];
    this.active = line?.key ?? null;
    // Its element is made only by the next drawing.
    if (focused && line) queueMicrotask(() => this.focusLine(this.index()));
  }

  lineOf(event: Event): Line | null {
    const key = near(event, ".gg-row[data-id]")?.dataset["id"];
    const index = key === undefined ? undefined : this.places.get(key);
    return index === undefined ? null : (this.lines[index] ?? null);
  }

  private focused(event: Event): void {
    const line = this.lineOf(event);
    if (!line || line.key === this.active) return;
    this.active = line.key;
    this.draw();
  }

  private leave(): void {
    this.pointerInside = false;
    this.release();
  }

  private release(): void {
    if (!this.held()) this.events.released();
  }

  private click(event: MouseEvent): void {
    const header = near(event, "[role=columnheader]");
    if (header) return this.events.sort(header.dataset["key"] ?? "");
    const line = this.lineOf(event);
    if (!line) return;
    const act = near(event, "[data-act]")?.dataset["act"];
    const from = this.index();
    if (!near(event, "a,button")) this.focusLine(this.places.get(line.key) ?? 0);
    this.clicked(act, line, event, from);
  }

  private clicked(act: string | undefined, line: Line, event: MouseEvent, from: number): void {
    if (act === "fold") this.events.toggleGroup(line);
    else if (near(event, '[data-col="select"]')) this.selectTo(line, event.shiftKey, from);
    else if (act && !near(event, "a")) this.events.act(act as RowAction, line);
  }

  /** Selects a line; with Shift, all lines from the one that had the focus. */
  private selectTo(line: Line, extend: boolean, from: number): void {
    const to = this.places.get(line.key) ?? from;
    const range = extend ? this.lines.slice(Math.min(from, to), Math.max(from, to) + 1) : [line];
    this.events.select(range, extend || !this.events.isSelected(line));
  }
}
