/** Draws the parts of the live table from its store. */
import { causes } from "../scan/causes";
import type { RankMenu } from "../scan/rankmenu";
import { failures } from "../scan/sentences";
import type { ScanStore } from "../scan/store";
import { h, setAttributes, setText } from "../ui/dom";
import type { MenuItem } from "../ui/popup";
import { full } from "../ui/text";
import type { TableArrangement } from "./arrangement";
import type { CellContexts } from "./cellcontext";
import type { ColumnMenu } from "./columnmenu";
import type { CurvesPane } from "./curvespane";
import type { Footer } from "./footer";
import { type Grid, MOST_ROWS } from "./grid";
import type { Header } from "./header";
import { type Toolbar, toolbarState } from "./toolbar";
import type { VariantPane } from "./variantpane";

/** The parts of a table. */
export interface TableParts {
  header: Header;
  rank: RankMenu;
  toolbar: Toolbar;
  menu: ColumnMenu;
  grid: Grid;
  curvesPane: CurvesPane;
  variantPane: VariantPane;
  footer: Footer;
}

/** The width that columns are laid out in before the table is in a page, in pixels. */
const DEFAULT_WIDTH = 860;
const WAITS = "Waits for the scan.";
const UNKNOWN = "This scan is not on this server.";

/** Draws as much as a change needs: everything, what the user arranged, the grid, or the times. */
export class TableDrawing {
  /** Stands in the place of the table until there is a scan. */
  readonly empty = h("div", { class: "gg-empty gg-q" }, WAITS);
  private width = 0;
  private height = 0;

  constructor(
    private readonly element: HTMLElement,
    private readonly store: ScanStore,
    private readonly arrangement: TableArrangement,
    private readonly contexts: CellContexts,
    private readonly parts: TableParts,
    private readonly menuItems: () => MenuItem[],
  ) {}

  /** Draws everything after the rows have changed. */
  rowsChanged(): void {
    this.contexts.forget();
    this.refresh(this.parts.grid.held());
  }

  /** Draws everything after another objective has ranked the rows: they go where they belong. */
  ranked(): void {
    this.contexts.forget();
    this.arrangement.unsort();
    this.refresh(false);
  }

  /** Draws everything. While the rows are `held`, they keep their places. */
  refresh(held: boolean): void {
    const { scan, missing, closed } = this.store;
    this.element.classList.toggle("gg-none", !scan);
    this.element.classList.toggle("gg-stale", closed || missing);
    setText(this.empty, missing ? UNKNOWN : WAITS);
    if (!scan) return;
    const { arrangement, parts } = this;
    setAttributes(this.element, { "aria-label": `Scan ${full(scan.name)}` });
    if (arrangement.fit(scan, this.width || DEFAULT_WIDTH))
      parts.grid.setColumns(arrangement.columns);
    // The first rows have no places to keep.
    const lines = arrangement.arrange(scan, held && arrangement.topLines.length > 0);
    parts.grid.setLines(lines, arrangement.height(MOST_ROWS));
    parts.header.update(scan, this.store.now(), !missing, this.menuItems().length > 0);
    parts.footer.update(scan, {
      found: failures(this.store.rows.values()),
      causes: () => causes(this.store.rows.values()),
      missing,
    });
    this.paint();
    this.tick(true);
  }

  /** Draws what depends on the user alone: the selection, the columns and the opened variant. */
  paint(): void {
    const { scan } = this.store;
    if (!scan) return;
    const { arrangement, parts } = this;
    this.drawGrid();
    parts.menu.update(arrangement.allColumns, arrangement.columns, arrangement.columnChoices);
    parts.rank.update();
    parts.toolbar.update(toolbarState(arrangement, this.store));
    const { id } = parts.variantPane;
    const opened = id === null ? undefined : this.store.rows.get(id);
    if (opened) parts.variantPane.update(opened, scan);
  }

  private drawGrid(): void {
    const { scan } = this.store;
    const context = this.contexts.make();
    if (scan && context) this.parts.grid.update(context, this.arrangement.sort(scan));
  }

  /** Draws the times, once a second; `drawn` says that the rows were drawn a moment ago. */
  tick(drawn = false): void {
    const { scan, received, closed, retryAt, missing, refused } = this.store;
    if (!scan) return;
    const ended = scan.ended !== null;
    const senderNow = this.store.now();
    this.parts.header.tick(scan, senderNow);
    const fresh = { received, now: this.store.wall(), senderNow, closed, retryAt, refused };
    this.parts.footer.tick({ ...fresh, ended: ended || missing });
    this.parts.curvesPane.update();
    // The rows of running jobs show how long they have run.
    if (!drawn && !ended && !closed && scan.counts.running > 0) this.drawGrid();
  }

  /** Draws what depends on the size of the grid, in pixels. */
  resized({ width, height }: { width: number; height: number }): void {
    const { scan } = this.store;
    const wider = Math.abs(width - this.width) >= 1;
    const higher = Math.abs(height - this.height) >= 1;
    this.width = width;
    this.height = height;
    // The lines and their order are the same in any width.
    if (wider && scan && this.arrangement.fit(scan, width))
      this.parts.grid.setColumns(this.arrangement.columns);
    if (wider) this.paint();
    else if (higher) this.drawGrid();
  }
}
