/** Says once, and only for what this page saw running, that a scan has ended or lost its runner. */
import { Notification } from "@jupyterlab/apputils";
import type { TranslationBundle } from "@jupyterlab/translation";
import { clip } from "../components/format";
import type { ScanInfo, ScanState } from "../wire";
import type { Connection } from "./connection";
import type { Views } from "./tokens";

const ENDED = new Set<ScanState>(["done", "stopped"]);

export class News {
  enabled = true;
  private readonly known = new Map<string, ScanState>();

  constructor(
    connection: Connection,
    private readonly views: Views,
    private readonly trans: TranslationBundle,
  ) {
    connection.on(() => this.look(connection.scans));
  }

  private look(scans: ReadonlyMap<string, ScanInfo>): void {
    for (const scan of scans.values()) {
      const before = this.known.get(scan.id);
      this.known.set(scan.id, scan.state);
      if (before === undefined || before === scan.state || !this.enabled) continue;
      if (ENDED.has(scan.state)) this.ended(scan);
      else if (scan.state === "orphaned") this.died(scan);
    }
  }

  private ended(scan: ScanInfo): void {
    const { done, failed, lost } = scan.counts;
    const bad = failed + lost;
    const name = clip(scan.name, 60);
    const words =
      scan.state === "stopped"
        ? this.trans.__("%1 was stopped: %2 done.", name, done)
        : bad > 0
          ? this.trans.__("%1 has ended: %2 done, %3 failed.", name, done, bad)
          : this.trans.__("%1 has ended: all %2 done.", name, done);
    Notification.emit(words, bad > 0 ? "warning" : "success", this.options(scan));
  }

  private died(scan: ScanInfo): void {
    const words = this.trans.__("%1 is not being watched: its runner ended.", clip(scan.name, 60));
    Notification.emit(words, "warning", this.options(scan));
  }

  private options(scan: ScanInfo): object {
    const label = this.trans.__("Open table");
    const callback = (): void => this.views.openTable(scan, "table");
    return { autoClose: 10_000, actions: [{ label, callback }] };
  }
}
