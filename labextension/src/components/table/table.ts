/** The live table of one scan: its parts put together. */
import type { MakeCurves } from "../scan/curves";
import { Commands } from "../scan/commands";
import type { Host } from "../scan/host";
import { jupyterConfig } from "../scan/paths";
import { RankMenu } from "../scan/rankmenu";
import { scanMenuItems } from "../scan/scanmenu";
import { announcement, lostSentence, rankedSentence, RELOAD } from "../scan/sentences";
import type { ScanStore, StoreChange } from "../scan/store";
import { h, near, setAttributes, setText } from "../ui/dom";
import { DrawTimer } from "../ui/drawtimer";
import { keepKeys } from "../ui/keys";
import type { MenuItem } from "../ui/popup";
import { QuestionBar } from "../ui/questionbar";
import { full } from "../ui/text";
import { type SavedArrangement, TableArrangement } from "./arrangement";
import { CellContexts } from "./cellcontext";
import { ColumnMenu } from "./columnmenu";
import { rowsAsText } from "./copyrows";
import { CurvesPane } from "./curvespane";
import { Footer } from "./footer";
import { Grid } from "./grid";
import { Header } from "./header";
import type { Line } from "./lines";
import { idsOf, RowActions } from "./rowactions";
import { TableDrawing, type TableParts } from "./tabledrawing";
import { type SelectionAction, Toolbar, type ToolbarEvents } from "./toolbar";
import { VariantPane } from "./variantpane";

/** What a table may be told when it is made. */
export interface TableOptions {
  /** The page that the table is drawn in; it says where notebooks open. */
  page?: Document;
  /** What a user arranged in an earlier table of the scan. */
  arrangement?: SavedArrangement | null;
  host?: Host;
  /** The table is as high as the element around it, and not as its rows. */
  fill?: boolean;
  /** The curves below the rows are open at first. */
  curves?: boolean;
}

/** The table. It draws itself whenever its store changes. */
export class LiveTable {
  readonly element = h("section", { class: "gridgpu gridgpu-table" });
  private readonly host: Host;
  private readonly arrangement: TableArrangement;
  private readonly parts: TableParts;
  private readonly drawing: TableDrawing;
  /** What a screen reader says. */
  private readonly live = h("div", { class: "gg-live", role: "status", "aria-live": "polite" });
  private readonly question = new QuestionBar();
  private readonly commands: Commands;
  private readonly rowActions: RowActions;
  private readonly drawTimer: DrawTimer;
  /** Functions that undo what the table began. */
  private readonly undo: (() => void)[] = [];

  constructor(
    private readonly store: ScanStore,
    makeCurves: MakeCurves,
    options: TableOptions = {},
  ) {
    const { page = document, arrangement = null, host = {} } = options;
    const say = (text: string): void => this.parts.footer.say(text);
    this.host = host;
    this.arrangement = new TableArrangement(store, arrangement);
    this.commands = new Commands(store, this.question, say);
    this.parts = this.makeParts(makeCurves);
    const { variantPane } = this.parts;
    this.rowActions = new RowActions(store, host, this.commands, variantPane, say);
    const contexts = new CellContexts(store, this.arrangement, jupyterConfig(page), host);
    this.drawing = new TableDrawing(
      this.element,
      store,
      this.arrangement,
      contexts,
      this.parts,
      () => this.menuItems(),
    );
    this.drawTimer = new DrawTimer(() => this.drawing.rowsChanged());
    this.element.classList.toggle("gg-fill", options.fill === true);
    // The output of a cell cuts off a menu that is longer than a table of few rows.
    setAttributes(this.element, { "data-grows": options.fill !== true });
    this.parts.toolbar.input.value = this.arrangement.filterText;
    this.assemble();
    this.listen();
    this.drawing.refresh(false);
    if (options.curves) this.showCurves(true);
  }

  dispose(): void {
    for (const undo of this.undo.splice(0)) undo();
    this.drawTimer.cancel();
    this.commands.dispose();
    this.parts.variantPane.dispose();
    this.parts.curvesPane.dispose();
    this.element.remove();
  }

  /** What the user arranged, for another table of the scan to go on from. */
  saveArrangement(): SavedArrangement {
    return this.arrangement.save();
  }

  /** Opens or closes the curves below the rows. */
  showCurves(on: boolean): void {
    this.parts.curvesPane.show(on);
  }

  /** Draws now what has come since the last drawing. */
  flush(): void {
    this.drawTimer.flush();
  }

  private assemble(): void {
    const { header, toolbar, menu, grid, curvesPane, variantPane, footer } = this.parts;
    const tools = h("div", { class: "gg-tools" }, toolbar.element);
    tools.append(this.question.element, menu.element);
    this.element.append(this.drawing.empty, header.element, tools, grid.element);
    this.element.append(curvesPane.element, variantPane.element, footer.element, this.live);
  }

  private listen(): void {
    this.undo.push(this.store.on((change) => this.changed(change)));
    const timer = setInterval(() => this.drawing.tick(), 1000);
    this.undo.push(() => clearInterval(timer));
    keepKeys(this.element);
    this.element.addEventListener("copy", (event) => this.copy(event));
    if (typeof ResizeObserver === "undefined") return;
    const observer = new ResizeObserver(
      ([entry]) => entry && this.drawing.resized(entry.contentRect),
    );
    observer.observe(this.parts.grid.element);
    this.undo.push(() => observer.disconnect());
  }

  private makeParts(makeCurves: MakeCurves): TableParts {
    const { store } = this;
    const rank = new RankMenu(store);
    const toolbar = this.makeToolbar(rank);
    const grid = this.makeGrid();
    return {
      ...{ rank, toolbar, grid, menu: this.makeColumnMenu(toolbar) },
      header: new Header({
        command: (action) => this.commands.run(action, null),
        goTo: (id) => this.goTo(id),
        more: () => this.menuItems(),
      }),
      variantPane: new VariantPane(store, { closed: (id) => grid.focusKey(id) }),
      curvesPane: new CurvesPane(store, makeCurves, (open) => toolbar.showsCurves(open)),
      footer: new Footer({
        retry: (ids) => this.commands.run("retry", ids),
        goTo: (id) => this.goTo(id),
      }),
    };
  }

  private makeToolbar(rank: RankMenu): Toolbar {
    const events: ToolbarEvents = {
      filter: (text) => {
        this.arrangement.filterText = text;
        this.drawing.refresh(false);
      },
      enterGrid: () => this.parts.grid.focusLine(0),
      sortNow: () => this.drawing.refresh(false),
      selected: (action) => this.withSelected(action),
      columns: () => this.toggleColumnMenu(),
      curves: () => this.showCurves(!this.parts.curvesPane.open),
    };
    return new Toolbar(events, rank.element);
  }

  private makeColumnMenu({ columnsButton }: Toolbar): ColumnMenu {
    return new ColumnMenu({
      toggle: (key, on) => {
        this.arrangement.columnChoices.set(key, on);
        this.drawing.refresh(true);
      },
      reset: () => {
        this.arrangement.columnChoices.clear();
        this.drawing.refresh(true);
      },
      closed: () => {
        columnsButton.setAttribute("aria-expanded", "false");
        columnsButton.focus();
      },
    });
  }

  private makeGrid(): Grid {
    return new Grid({
      sort: (key) => this.sort(key),
      act: (action, line) => this.rowActions.act(action, line),
      toggleGroup: (line) => this.toggleGroup(line),
      select: (lines, on) => this.select(lines, on),
      isSelected: this.arrangement.isSelected,
      search: () => this.parts.toolbar.input.focus(),
      clear: () => this.clear(),
      // Rows that kept their places while somebody looked go where they belong.
      released: () => {
        if (this.arrangement.moved > 0) this.drawing.refresh(false);
      },
    });
  }

  private menuItems(): MenuItem[] {
    const { scan } = this.store;
    if (!scan) return [];
    const say = (text: string): void => this.parts.footer.say(text);
    const actions = { host: this.host, ...this.commands.menu(), runnerLog: null, say };
    return scanMenuItems(scan, actions);
  }

  private changed(change: StoreChange): void {
    if (change.type === "data") this.rowsCame(change);
    else if (change.type === "said") this.said(change.text);
    else if (change.type === "link") this.linkChanged(change.closed);
    else if (change.type === "missing") this.drawing.refresh(false);
    else if (change.type === "ranked") this.ranked();
  }

  private ranked(): void {
    const { scan } = this.store;
    if (!scan) return;
    this.drawing.ranked();
    setText(this.live, rankedSentence(scan));
  }

  private rowsCame({ failed, endedNow }: Extract<StoreChange, { type: "data" }>): void {
    const { scan } = this.store;
    const sentence = scan ? announcement(failed, endedNow, scan) : "";
    if (sentence) setText(this.live, sentence);
    this.drawTimer.request();
  }

  private said(text: string): void {
    this.commands.answered();
    this.parts.footer.say(text);
    setText(this.live, full(text));
  }

  private linkChanged(closed: boolean): void {
    this.element.classList.toggle("gg-stale", closed);
    const lost = this.store.refused ? RELOAD : lostSentence(this.store.peer);
    if (closed) setText(this.live, lost);
    this.drawing.tick();
  }

  private sort(key: string): void {
    const { scan } = this.store;
    if (!scan || !key) return;
    if (key === "select") return this.toggleAll();
    this.arrangement.sortBy(key, scan);
    this.drawing.refresh(false);
  }

  private toggleAll(): void {
    const { lines } = this.parts.grid;
    this.select(lines, !lines.every(this.arrangement.isSelected));
  }

  private toggleGroup(line: Line): void {
    const { openGroups } = this.arrangement;
    if (!openGroups.delete(line.key)) openGroups.add(line.key);
    this.drawing.refresh(true);
  }

  private select(lines: readonly Line[], on: boolean): void {
    this.arrangement.select(lines, on);
    this.selectionChanged();
  }

  private clear(): void {
    if (this.arrangement.filterText) this.parts.toolbar.clear();
    else this.withSelected("clear");
  }

  private withSelected(action: SelectionAction): void {
    if (action !== "clear") {
      const ids = idsOf(this.arrangement.selectedRows(), action);
      return this.commands.run(action, ids);
    }
    this.arrangement.selected.clear();
    this.selectionChanged();
  }

  /** Other views of the scan show what is selected here. */
  private selectionChanged(): void {
    this.store.choose(this.arrangement.selected);
    this.parts.curvesPane.update();
    this.drawing.paint();
  }

  private copy(event: ClipboardEvent): void {
    // Text that is marked is copied by the browser.
    if (!near(event, ".gg-row") || String(document.getSelection() ?? "") !== "") return;
    const { grid } = this.parts;
    const { selected, columns } = this.arrangement;
    const focused = grid.lines[grid.index()]?.rows ?? [];
    const rows = selected.size ? this.arrangement.selectedRows() : focused;
    event.clipboardData?.setData("text/plain", rowsAsText(rows, columns));
    event.preventDefault();
  }

  private toggleColumnMenu(): void {
    const { menu, toolbar } = this.parts;
    const on = !menu.shown;
    menu.show(on);
    toolbar.columnsButton.setAttribute("aria-expanded", String(on));
    this.drawing.paint();
  }

  /** Goes to the row of a variant. What hides it is opened: its group, or else the filter. */
  private goTo(id: string): void {
    const { grid, toolbar } = this.parts;
    if (grid.focusKey(id)) return;
    const group = this.arrangement.lineOf(id);
    if (group) this.arrangement.openGroups.add(group.key);
    else toolbar.clear();
    this.drawing.refresh(true);
    // Without the filter the row may still be inside of a group that is closed.
    if (!grid.focusKey(id)) grid.focusKey(this.arrangement.lineOf(id)?.key ?? "");
  }
}
