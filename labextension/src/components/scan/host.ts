/** What surrounds a component and can do more than the page alone. */
import type { Row, ScanInfo } from "../../wire";

export interface Host {
  openNotebook?(scan: ScanInfo, row: Row): void;
  openJob?(scan: ScanInfo, variant: string): void;
  openScan?(scan: ScanInfo): void;
  say?(text: string): void;
}

export interface PanelHost extends Host {
  scanNotebook(): void;
  openTable(scan: ScanInfo, what: "table" | "curves"): void;
}
