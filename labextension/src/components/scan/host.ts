/** What surrounds a component and can do more than the page alone. */
import type { Row, ScanInfo } from "../../wire";

/** What JupyterLab can do for a component; a plain page has none of it. */
export interface Host {
  openNotebook?(scan: ScanInfo, row: Row): void;
  openJob?(scan: ScanInfo, variant: string): void;
  openScan?(scan: ScanInfo): void;
  /** Shows a sentence to the user. */
  say?(text: string): void;
}

/** What the side panel needs besides. */
export interface PanelHost extends Host {
  /** Lets the user choose a notebook, and opens the form for it. */
  scanNotebook(): void;
  openTable(scan: ScanInfo, what: "table" | "curves"): void;
}
