/** The live table of one scan: its parts put together. */
import { causes } from "../scan/causes";
import { Commands } from "../scan/commands";
import { type MakeCurves } from "../scan/curves";
import type { Host } from "../scan/host";
import { jupyterConfig } from "../scan/paths";
import { scanMenuItems } from "../scan/scanmenu";
import { announcement, failures, lostSentence } from "../scan/sentences";
import type { ScanStore, StoreChange } from "../scan/store";
import { h, near, setText } from "../ui/dom";
import { keepKeys } from "../ui/keys";
import type { MenuItem } from "../ui/popup";
import { QuestionBar } from "../ui/question";
import { DrawTimer } from "../ui/redraw";
import { full } from "../ui/text";
import { type SavedArrangement, TableArrangement } from "./arrangement";
import { CellContexts } from "./cellcontext";
import { ColumnMenu } from "./columnmenu";
import { rowsAsText } from "./copyrows";
import { CurvesPane } from "./curvespane";
import { Footer } from "./footer";
import { Grid, MOST_ROWS } from "./grid";
import { Header } from "./header";
import type { Line } from "./order";
import { idsOf, RowActions } from "./rowactions";
import { Toolbar, toolbarState } from "./toolbar";
import { VariantPane } from "./variantpane";

const DEFAULT_WIDTH = 860;
const WAITS = "Waits for the scan.";
const UNKNOWN = "This scan is not on this server.";

export interface TableOptions {
  /** The page that the table is drawn in, which says where notebooks open. */
  page?: Document;
  /** What a user arranged in an earlier view of the scan. */
  arrangement?: SavedArrangement | null;
  host?: Host;
  /** As high as what holds it, and not as its rows. */
  fill?: boolean;
  /** Opens with the curves below the grid. */
  curves?: boolean;
}

export class LiveTable {
  readonly element = h("section", { class: "gridgpu gridgpu-table" });
  private readonly host: Host;
  private readonly view: TableArrangement;
  private readonly contexts: CellContexts;
  private readonly live = h("div", { class: "gg-live", role: "status", "aria-live": "polite" });
  private readonly empty = h("div", { class: "gg-empty gg-q" }, WAITS);
  private readonly ask = new QuestionBar();
  private readonly header: Header;
  private readonly toolbar: Toolbar;
  private readonly menu: ColumnMenu;
  private readonly grid: Grid;
  private readonly pane: VariantPane;
  private readonly footer: Footer;
  private readonly commands: Commands;
  private readonly acts: RowActions;
  private readonly dock: CurvesPane;
  private readonly undo: (() => void)[] = [];
  private readonly frame = new DrawTimer(() => this.draw());
  private width = 0;
  private height = 0;

  constructor(
    private readonly store: ScanStore,
    makeCurves: MakeCurves,
    options: TableOptions = {},
  ) {
    const { page = document, arrangement = null, host = {} } = options;
    this.host = host;
    this.view = new TableArrangement(store, arrangement);
    this.contexts = new CellContexts(store, this.view, jupyterConfig(page), host);
    const say = (text: string): void => this.footer.say(text);
    this.commands = new Commands(store, this.ask, say);
    this.header = this.makeHeader();
    this.toolbar = this.makeToolbar();
    this.menu = this.makeMenu();
    this.grid = this.makeGrid();
    this.pane = new VariantPane(store, { closed: (id) => this.grid.focusKey(id) });
    this.acts = new RowActions(store, host, this.commands, this.pane, say);
    this.dock = new CurvesPane(store, makeCurves, (open) => this.toolbar.showsCurves(open));
    this.footer = new Footer({
      retry: (ids) => this.commands.run("retry", ids),
      goTo: (id) => this.goTo(id),
    });
    this.element.classList.toggle("gg-fill", options.fill === true);
    this.toolbar.input.value = this.view.filterText;
    this.assemble();
    this.listen();
    this.refresh(false);
    if (options.curves) this.showCurves(true);
  }

  dispose(): void {
    for (const undo of this.undo.splice(0)) undo();
    this.frame.cancel();
    this.commands.dispose();
    this.pane.dispose();
    this.dock.dispose();
    this.element.remove();
  }

  arrangement(): SavedArrangement {
    return this.view.arrangement();
  }

  showCurves(on: boolean): void {
    this.dock.show(on);
  }

  /** Draws what has come since the last frame. */
  flush(): void {
    this.frame.flush();
  }

  private draw(): void {
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
    const parts = [this.header, { element: tools }, this.grid, this.dock, this.pane, this.footer];
    this.element.append(this.empty, ...parts.map((part) => part.element), this.live);
  }

  private listen(): void {
    this.undo.push(this.store.on((change) => this.changed(change)));
    const timer = setInterval(() => this.tick(), 1000);
    this.undo.push(() => clearInterval(timer));
    keepKeys(this.element);
    this.element.addEventListener("copy", (event) => this.copy(event));
    if (typeof ResizeObserver === "undefined") return;
    const observer = new ResizeObserver(([entry]) => entry && this.resized(entry.contentRect));
    observer.observe(this.grid.element);
    this.undo.push(() => observer.disconnect());
  }

  private makeHeader(): Header {
    return new Header({
      command: (action) => this.commands.run(action, null),
      goTo: (id) => this.goTo(id),
      more: () => this.items(),
    });
  }

  private items(): MenuItem[] {
    const { scan } = this.store;
    if (!scan) return [];
    const say = (text: string): void => this.footer.say(text);
    return scanMenuItems(scan, { host: this.host, ...this.commands.menu(), runnerLog: null, say });
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
      curves: () => this.showCurves(!this.dock.open),
    });
  }

  private makeMenu(): ColumnMenu {
    return new ColumnMenu({
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
      act: (action, line) => this.acts.act(action, line),
      fold: (line) => this.fold(line),
      select: (lines, on) => this.select(lines, on),
      isSelected: this.view.isSelected,
      search: () => this.toolbar.input.focus(),
      clear: () => this.clear(),
      released: () => this.view.moved > 0 && this.refresh(false),
    });
  }

  private changed(change: StoreChange): void {
    if (change.type === "data") this.dataCame(change);
    else if (change.type === "said") this.said(change.text);
    else if (change.type === "link") this.linkChanged(change.closed);
    else if (change.type === "missing") this.refresh(false);
  }

  private dataCame({ failed, endedNow }: Extract<StoreChange, { type: "data" }>): void {
    const { scan } = this.store;
    const words = scan ? announcement(failed, endedNow, scan) : "";
    if (words) setText(this.live, words);
    this.frame.request();
  }

  private said(text: string): void {
    this.commands.answered();
    this.footer.say(text);
    setText(this.live, full(text));
  }

  private linkChanged(closed: boolean): void {
    this.element.classList.toggle("gg-stale", closed);
    if (closed) setText(this.live, lostSentence(this.store.peer));
    this.tick();
  }

  private resized({ width, height }: { width: number; height: number }): void {
    const { scan } = this.store;
    const wider = Math.abs(width - this.width) >= 1;
    const higher = Math.abs(height - this.height) >= 1;
    [this.width, this.height] = [width, height];
    // The lines and their order are the same in any width.
    if (wider && scan && this.view.fit(scan, width)) this.grid.setColumns(this.view.columns);
    if (wider) this.paint();
    else if (higher) this.drawGrid();
  }

  private refresh(held: boolean): void {
    const { scan, missing, closed } = this.store;
    this.element.classList.toggle("gg-none", !scan);
    this.element.classList.toggle("gg-stale", closed || missing);
    setText(this.empty, missing ? UNKNOWN : WAITS);
    if (!scan) return;
    this.element.setAttribute("aria-label", `Scan ${full(scan.name)}`);
    if (this.view.fit(scan, this.width || DEFAULT_WIDTH)) this.grid.setColumns(this.view.columns);
    this.grid.setLines(
      this.view.arrange(scan, held && this.view.top.length > 0),
      this.view.height(MOST_ROWS),
    );
    this.header.update(scan, this.store.now(), !missing, this.items().length > 0);
    this.footer.update(scan, {
      found: failures(this.store.rows.values()),
      causes: () => causes(this.store.rows.values()),
      missing,
    });
    this.paint();
    this.tick(true);
  }

  /** Draws again what only this view decides: selection, columns shown, times. */
  private paint(): void {
    const { scan } = this.store;
    if (!scan) return;
    this.drawGrid();
    this.menu.update(this.view.all, this.view.columns, this.view.prefs);
    this.toolbar.update(toolbarState(this.view, this.store));
    const opened = this.pane.id === null ? undefined : this.store.rows.get(this.pane.id);
    if (opened) this.pane.update(opened, scan);
  }

  private drawGrid(): void {
    const { scan } = this.store;
    const context = this.contexts.make();
    if (scan && context) this.grid.update(context, this.view.sort(scan));
  }

  private tick(drawn = false): void {
    const { scan, received, closed, retryAt, missing } = this.store;
    if (!scan) return;
    const ended = scan.ended !== null;
    this.header.tick(scan, this.store.now());
    const [now, sent] = [this.store.wall(), this.store.now()];
    this.footer.tick({ received, now, sent, closed, ended: ended || missing, retryAt });
    this.dock.update();
    if (!drawn && !ended && !closed && scan.counts.running > 0) this.drawGrid();
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
    this.chose();
  }

  private clear(): void {
    if (this.view.filterText) this.toolbar.clear();
    else this.withSelected("clear");
  }

  private withSelected(action: "retry" | "stop" | "clear"): void {
    if (action !== "clear")
      return this.commands.run(action, idsOf(this.view.selectedRows(), action));
    this.view.selected.clear();
    this.chose();
  }

  /** Other views of the scan show what is selected here. */
  private chose(): void {
    this.store.choose(this.view.selected);
    this.dock.update();
    this.paint();
  }

  private copy(event: ClipboardEvent): void {
    if (!near(event, ".gg-row") || String(document.getSelection() ?? "") !== "") return;
    const active = this.grid.lines[this.grid.index()];
    const chosen = this.view.selected.size ? this.view.selectedRows() : (active?.rows ?? []);
    event.clipboardData?.setData("text/plain", rowsAsText(chosen, this.view.columns));
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
    const holder = this.view.holder(id);
    if (holder) this.view.open.add(holder.key);
    else this.toolbar.clear();
    this.refresh(true);
    if (!this.grid.focusKey(id)) this.grid.focusKey(this.view.holder(id)?.key ?? "");
  }
}
