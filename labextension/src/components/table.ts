/** The live table of one scan: its parts put together. */
import type { Row } from "../wire";
import { Ask } from "./ask";
import { copyText, table } from "./clipboard";
import { Commands } from "./commands";
import { Contexts } from "./context";
import { h, near, setText } from "./dom";
import { Footer } from "./footer";
import { full } from "./format";
import { Grid, MOST_ROWS } from "./grid";
import { Header } from "./header";
import { Menu } from "./menu";
import type { Line } from "./order";
import { Pane } from "./pane";
import { jupyterConfig, notebookPath } from "./paths";
import { type RowAction, canStop } from "./rowview";
import type { Change, Store } from "./store";
import { Toolbar } from "./toolbar";
import { type Arrangement, View } from "./view";
import { failures, news } from "./words";

const DEFAULT_WIDTH = 860;
/** Messages may come faster than this; drawings do not. */
const FRAME = 16;

export class LiveTable {
  readonly element = h("section", {
    class: "gridgpu-table",
    "data-lm-suppress-shortcuts": "true",
  });
  private readonly view: View;
  private readonly contexts: Contexts;
  private readonly live = h("div", { class: "gg-live", role: "status", "aria-live": "polite" });
  private readonly empty = h("div", { class: "gg-empty gg-q" }, "Waits for the scan.");
  private readonly ask = new Ask();
  private readonly header: Header;
  private readonly toolbar: Toolbar;
  private readonly menu: Menu;
  private readonly grid: Grid;
  private readonly pane: Pane;
  private readonly footer: Footer;
  private readonly commands: Commands;
  private readonly undo: (() => void)[] = [];
  private frame: number | null = null;
  private drawn = -Infinity;
  private width = 0;

  constructor(
    private readonly store: Store,
    page: Document = document,
    from: Arrangement | null = null,
  ) {
    this.view = new View(store, from);
    this.contexts = new Contexts(store, this.view, jupyterConfig(page));
    this.commands = new Commands(store, this.ask, (text) => this.footer.say(text));
    this.header = new Header({
      command: (action) => this.commands.run(action, null),
      goTo: (id) => this.goTo(id),
    });
    this.toolbar = this.makeToolbar();
    this.menu = this.makeMenu();
    this.grid = this.makeGrid();
    this.pane = new Pane({
      closed: (id) => this.grid.focusKey(id),
      reload: (id) => store.send({ type: "log", variant: id }),
    });
    this.footer = new Footer({ retry: (ids) => this.commands.run("retry", ids) });
    this.toolbar.input.value = this.view.filterText;
    this.assemble();
    this.listen();
    this.refresh(false);
  }

  dispose(): void {
    for (const undo of this.undo.splice(0)) undo();
    this.commands.dispose();
    this.element.remove();
  }

  arrangement(): Arrangement {
    return this.view.arrangement();
  }

  /** Draws what has come since the last frame. */
  flush(): void {
    if (this.frame === null) return;
    clearTimeout(this.frame);
    this.frame = null;
    this.drawn = performance.now();
    this.contexts.forget();
    this.refresh(this.grid.held());
  }

  private assemble(): void {
    const tools = h(
      "div",
      { class: "gg-tools" },
      this.toolbar.element,
      this.ask.element,
      this.menu.element,
    );
    const parts = [this.header, { element: tools }, this.grid, this.pane, this.footer];
    this.element.append(this.empty, ...parts.map((part) => part.element), this.live);
  }

  private listen(): void {
    this.undo.push(this.store.on((change) => this.changed(change)));
    const timer = setInterval(() => this.tick(), 1000);
    this.undo.push(
      () => clearInterval(timer),
      () => this.frame !== null && clearTimeout(this.frame),
    );
    this.element.addEventListener("copy", (event) => this.copy(event));
    if (typeof ResizeObserver === "undefined") return;
    const observer = new ResizeObserver(([entry]) => this.resized(entry?.contentRect.width ?? 0));
    observer.observe(this.grid.element);
    this.undo.push(() => observer.disconnect());
  }

  private makeToolbar(): Toolbar {
    return new Toolbar({
      filter: (text) => {
        this.view.filterText = text;
        this.refresh(false);
      },
      enterGrid: () => this.grid.focusLine(0),
      sortNow: () => this.refresh(false),
      selected: (action) => this.withSelected(action),
      columns: () => this.toggleMenu(),
    });
  }

  private makeMenu(): Menu {
    return new Menu({
      toggle: (key, on) => {
        this.view.prefs.set(key, on);
        this.refresh(true);
      },
      reset: () => {
        this.view.prefs.clear();
        this.refresh(true);
      },
      closed: () => {
        this.toolbar.columnsButton.setAttribute("aria-expanded", "false");
        this.toolbar.columnsButton.focus();
      },
    });
  }

  private makeGrid(): Grid {
    return new Grid({
      sort: (key) => this.sort(key),
      act: (action, line) => this.act(action, line),
      fold: (line) => this.fold(line),
      select: (lines, on) => this.select(lines, on),
      isSelected: this.view.isSelected,
      search: () => this.toolbar.input.focus(),
      clear: () => this.clear(),
      released: () => this.view.moved > 0 && this.refresh(false),
    });
  }

  private changed(change: Change): void {
    if (change.type === "data") this.dataCame(change);
    else if (change.type === "said") this.said(change.text);
    else if (change.type === "link") this.linkChanged(change.closed);
    else if (change.type === "log" && change.variant === this.pane.id) this.pane.show(change.text);
  }

  private dataCame({ failed, endedNow }: Extract<Change, { type: "data" }>): void {
    const { scan } = this.store;
    const words = scan ? news(failed, endedNow, scan) : "";
    if (words) setText(this.live, words);
    const wait = Math.max(0, FRAME - (performance.now() - this.drawn));
    this.frame ??= setTimeout(() => this.flush(), wait) as unknown as number;
  }

  private said(text: string): void {
    this.commands.answered();
    this.footer.say(text);
    setText(this.live, full(text));
  }

  private linkChanged(closed: boolean): void {
    this.element.classList.toggle("gg-stale", closed);
    if (closed) setText(this.live, "Connection to the kernel lost.");
    this.tick();
  }

  private resized(width: number): void {
    if (Math.abs(width - this.width) < 1) return;
    this.width = width;
    this.refresh(true);
  }

  private refresh(held: boolean): void {
    const { scan } = this.store;
    this.element.classList.toggle("gg-none", !scan);
    if (!scan) return;
    this.element.setAttribute("aria-label", `Scan ${full(scan.name)}`);
    if (this.view.fit(scan, this.width || DEFAULT_WIDTH)) this.grid.setColumns(this.view.columns);
    this.grid.setLines(
      this.view.arrange(scan, held && this.view.top.length > 0),
      this.view.height(MOST_ROWS),
    );
    this.header.update(scan, this.store.now());
    this.footer.update(scan, failures(this.store.rows.values()));
    this.paint();
    this.tick();
  }

  /** Draws again what only this view decides: selection, columns shown, times. */
  private paint(): void {
    const { scan } = this.store;
    if (!scan) return;
    this.drawGrid();
    this.menu.update(this.view.all, this.view.columns, this.view.prefs);
    this.toolbar.update(this.toolbarState());
    const opened = this.pane.id === null ? undefined : this.store.rows.get(this.pane.id);
    if (opened) this.pane.update(opened, scan);
  }

  private drawGrid(): void {
    const { scan } = this.store;
    const context = this.contexts.make();
    if (scan && context) this.grid.update(context, this.view.sort(scan));
  }

  private toolbarState(): Parameters<Toolbar["update"]>[0] {
    const { matched, hint, moved } = this.view;
    const chosen = this.view.selectedRows();
    const stoppable = chosen.filter(canStop).length;
    const counts = {
      selected: chosen.length,
      canStop: stoppable,
      canRetry: chosen.length - stoppable,
    };
    return { matched, all: this.store.rows.size, hint, moved, ...counts };
  }

  private tick(): void {
    const { scan, received, closed } = this.store;
    if (!scan) return;
    const ended = scan.ended !== null;
    this.header.tick(scan, this.store.now());
    this.footer.tick(received, this.store.wall(), closed, ended);
    if (!ended && !closed && scan.counts.running > 0) this.drawGrid();
  }

  private sort(key: string): void {
    const { scan } = this.store;
    if (!scan || !key) return;
    if (key === "select")
      return this.select(this.grid.lines, !this.grid.lines.every(this.view.isSelected));
    this.view.sortBy(key, scan);
    this.refresh(false);
  }

  private fold(line: Line): void {
    if (!this.view.open.delete(line.key)) this.view.open.add(line.key);
    this.refresh(true);
  }

  private select(lines: readonly Line[], on: boolean): void {
    this.view.select(lines, on);
    this.paint();
  }

  private clear(): void {
    if (this.view.filterText) this.toolbar.clear();
    else this.withSelected("clear");
  }

  private withSelected(action: "retry" | "stop" | "clear"): void {
    const chosen = this.view.selectedRows().filter((row) => canStop(row) === (action === "stop"));
    if (action !== "clear")
      return this.commands.run(
        action,
        chosen.map((row) => row.id),
      );
    this.view.selected.clear();
    this.paint();
  }

  private act(action: RowAction, line: Line): void {
    if (action === "log") return this.openPane(line.row);
    if (action === "notebook") return void this.copyPath(line.row);
    const rows = line.rows.filter((row) => canStop(row) === (action === "stop"));
    this.commands.run(
      action,
      rows.map((row) => row.id),
    );
  }

  private openPane(row: Row): void {
    const { scan } = this.store;
    if (!scan) return;
    if (this.pane.id === row.id) return this.pane.close();
    this.pane.open(row, scan);
    this.store.send({ type: "log", variant: row.id });
  }

  private async copyPath(row: Row): Promise<void> {
    const path = this.store.scan ? notebookPath(row, this.store.scan) : null;
    if (!path) return this.footer.say("This variant has no notebook yet.");
    const copied = await copyText(path);
    this.footer.say(`${copied ? "Copied: " : "Notebook: "}${path}`);
  }

  private copy(event: ClipboardEvent): void {
    if (!near(event, ".gg-row") || String(document.getSelection() ?? "") !== "") return;
    const active = this.grid.lines[this.grid.index()];
    const chosen = this.view.selected.size ? this.view.selectedRows() : (active?.rows ?? []);
    event.clipboardData?.setData("text/plain", table(chosen, this.view.columns));
    event.preventDefault();
  }

  private toggleMenu(): void {
    const on = !this.menu.shown;
    this.menu.show(on);
    this.toolbar.columnsButton.setAttribute("aria-expanded", String(on));
    this.paint();
  }

  /** Opens what hides a row, be it a filter or a fold, and goes there. */
  private goTo(id: string): void {
    if (this.grid.focusKey(id)) return;
    const holder = this.view.top.find((line) => line.rows.some((row) => row.id === id));
    if (holder) this.view.open.add(holder.key);
    else this.toolbar.clear();
    this.refresh(true);
    if (!this.grid.focusKey(id)) this.fallback(id);
  }

  private fallback(id: string): void {
    const holder = this.view.top.find((line) => line.rows.some((row) => row.id === id));
    if (holder) this.grid.focusKey(holder.key);
  }
}
