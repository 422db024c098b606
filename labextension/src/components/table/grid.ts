/** The grid: only rows in view are in the document, and the one with the focus. */
import { h, near, setAttributes } from "../ui/dom";
import type { CellContext } from "./cellcontent";
import { gridTemplate } from "./columnlayout";
import type { Column } from "./columns";
import { type GridControl, type GridEvents, type RowAction } from "./gridcontrol";
import { GridHead } from "./gridhead";
import { GridKeys } from "./gridkeys";
import type { Line, Sort } from "./order";
import { ROW, RowView } from "./rowview";

const HEAD = 26;
const OVER = 4;
export const MOST_ROWS = 20;

export class Grid implements GridControl {
  readonly head = new GridHead();
  readonly element = h("div", {
    class: "gg-grid",
    role: "grid",
    "aria-label": "Variants",
    "aria-multiselectable": "true",
  });
  lines: readonly Line[] = [];
  active: string | null = null;
  private readonly body = h("div", { class: "gg-body", role: "rowgroup" });
  private readonly views = new Map<string, RowView>();
  private columns: readonly Column[] = [];
  private context: CellContext | null = null;
  private places = new Map<string, number>();
  private pointer = false;
  private room = 0;

  constructor(readonly events: GridEvents) {
    this.element.append(this.head.element, this.body);
    this.element.addEventListener("scroll", () => this.draw(), { passive: true });
    this.element.addEventListener("click", (event) => this.click(event));
    this.element.addEventListener("focusin", (event) => this.focused(event));
    this.element.addEventListener("focusout", () => setTimeout(() => this.release()));
    this.element.addEventListener("pointerenter", () => (this.pointer = true));
    this.element.addEventListener("pointerleave", () => this.leave());
    const keys = new GridKeys(this);
    this.element.addEventListener("keydown", (event) => keys.down(event));
  }

  /** Rows keep still while somebody looks closely. */
  held(): boolean {
    return this.pointer || this.element.contains(document.activeElement);
  }

  setColumns(columns: readonly Column[]): void {
    this.columns = columns;
    this.element.style.setProperty("--gg-cols", gridTemplate(columns));
    const width = columns.reduce((sum, column) => sum + column.width, 0);
    this.element.style.setProperty("--gg-least", `${width}px`);
    setAttributes(this.element, { "aria-colcount": columns.length });
  }

  setLines(lines: readonly Line[], most: number): void {
    const before = this.index();
    this.lines = lines;
    this.places = new Map(lines.map((line, i) => [line.key, i]));
    this.body.style.height = `${lines.length * ROW}px`;
    const rows = Math.max(1, Math.min(MOST_ROWS, Math.max(most, lines.length)));
    this.room = rows * ROW;
    this.element.style.setProperty("--gg-room", `${this.room + HEAD}px`);
    setAttributes(this.element, { "aria-rowcount": lines.length + 1 });
    if (this.active !== null && !this.places.has(this.active)) this.replaceActive(before);
  }

  update(context: CellContext, sort: Sort): void {
    this.context = context;
    const some = context.selected.size > 0; // else thousands of lines need not be asked
    const chosen = some ? this.lines.filter((line) => this.events.isSelected(line)).length : 0;
    const mark = chosen === 0 ? "" : chosen === this.lines.length ? "gg-on" : "gg-mid";
    this.head.update(this.columns, sort, mark);
    this.draw();
  }

  index(): number {
    return this.active === null ? 0 : (this.places.get(this.active) ?? 0);
  }

  page(): number {
    return Math.max(1, Math.floor((this.element.clientHeight || this.room) / ROW) - 2);
  }

  focusLine(index: number): void {
    const line = this.lines[index];
    if (!line) return;
    this.active = line.key;
    this.reveal(index);
    this.draw();
    this.views.get(line.key)?.element.focus({ preventScroll: true });
  }

  focusKey(key: string): boolean {
    const index = this.places.get(key);
    if (index !== undefined) this.focusLine(index);
    return index !== undefined;
  }

  /** The row's notebook: the link itself, so that a new tab opens as with a click. */
  actionOf(key: string, action: RowAction): HTMLElement | null {
    return (
      this.views.get(key)?.element.querySelector<HTMLElement>(`.gg-act [data-act="${action}"]`) ??
      null
    );
  }

  private reveal(index: number): void {
    const { scrollTop } = this.element;
    const height = (this.element.clientHeight || this.room + HEAD) - HEAD;
    const top = index * ROW;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + ROW > scrollTop + height) this.element.scrollTop = top + ROW - height;
  }

  private window(): [first: number, last: number] {
    const height = (this.element.isConnected && this.element.clientHeight) || this.room + HEAD;
    const top = Math.min(
      this.element.isConnected ? this.element.scrollTop : 0,
      Math.max(0, this.lines.length * ROW - height + HEAD),
    );
    const first = Math.max(0, Math.floor(top / ROW) - OVER);
    return [first, Math.min(this.lines.length - 1, Math.ceil((top + height) / ROW) + OVER)];
  }

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

  draw(): void {
    if (!this.context) return;
    const wanted = this.wanted();
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

  /** The row with the focus is gone: the one now in its place takes over. */
  private replaceActive(index: number): void {
    const focused = this.body.contains(document.activeElement);
    const line = this.lines[Math.min(index, this.lines.length - 1)];
    this.active = line?.key ?? null;
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
    this.pointer = false;
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
    if (act === "fold") this.events.fold(line);
    else if (near(event, '[data-col="select"]')) this.selectTo(line, event.shiftKey, from);
    else if (act && !near(event, "a")) this.events.act(act as RowAction, line);
  }

  /** With Shift, all lines from the last one touched. */
  private selectTo(line: Line, extend: boolean, from: number): void {
    const to = this.places.get(line.key) ?? from;
    const range = extend ? this.lines.slice(Math.min(from, to), Math.max(from, to) + 1) : [line];
    this.events.select(range, extend || !this.events.isSelected(line));
  }
}
