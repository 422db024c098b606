/** The side panel of JupyterLab, with a badge that counts running jobs. */
import type { TranslationBundle } from "@jupyterlab/translation";
import { Widget } from "@lumino/widgets";
import { Panel } from "../components/panel/panel";
import type { ScanInfo } from "../wire";
import type { Connection } from "./connection";
import { scansIcon } from "./icon";
import type { ScanNotebook, Views } from "./tokens";

/** The command that shows the panel. */
export const SHOW_PANEL = "gridgpu:show-panel";
const ID = "gridgpu-panel";

/** Puts the panel into the side bar. */
export class SidePanel extends Widget {
  private readonly panel: Panel;
  private readonly off: () => void;

  constructor(
    private readonly connection: Connection,
    views: Views,
    scanNotebook: ScanNotebook,
    private readonly trans: TranslationBundle,
  ) {
    super();
    this.id = ID;
    this.addClass("gridgpu-sidebar");
    this.title.icon = scansIcon;
    this.panel = new Panel(connection, {
      openNotebook: (scan, row) => views.openNotebook?.(scan, row),
      openJob: (scan, variant) => views.openJob?.(scan, variant),
      openScan: (scan) => views.openTable(scan, "table"),
      openTable: (scan: ScanInfo, what: "table" | "curves") => views.openTable(scan, what),
      say: (text) => views.say?.(text),
      scanNotebook: () => void scanNotebook(),
    });
    this.node.append(this.panel.element);
    this.off = connection.on(() => this.count());
    this.count();
  }

  override dispose(): void {
    this.off();
    this.panel.dispose();
    super.dispose();
  }

  protected override onActivateRequest(): void {
    this.panel.focus();
  }

  /** Counts the running jobs of all scans for the badge and the tooltip. */
  private count(): void {
    let running = 0;
    for (const scan of this.connection.scans.values()) running += scan.counts.running;
    const badge = running > 999 ? "999+" : String(running);
    // JupyterLab finds the tab of a panel by this id.
    this.title.dataset = { id: ID, ...(running ? { "gridgpu-badge": badge } : {}) };
    this.title.caption = running
      ? this.trans._n("Scans: %1 running job", "Scans: %1 running jobs", running)
      : this.trans.__("Scans");
  }
}
