/** Says once, and only for what this page saw running, that a scan has ended or lost its runner. */
import { Notification } from "@jupyterlab/apputils";
import type { TranslationBundle } from "@jupyterlab/translation";
import { clip } from "../components/ui/text";
import type { ScanInfo, ScanState } from "../wire";
import type { Connection } from "./connection";
import type { Views } from "./tokens";

const AGAIN = /^Its runner ended/;
const ENDED = new Set<ScanState>(["done", "stopped"]);

export class ScanNotifications {
  enabled = true;
  private readonly notes = new Map<string, string | null>();
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
      this.noted(scan);
      if (before === undefined || before === scan.state || !this.enabled) continue;
      if (ENDED.has(scan.state)) this.ended(scan);
      else if (scan.state === "orphaned") this.died(scan);
    }
  }

  /** A runner that was started again is said once, when its note begins. */
  private noted(scan: ScanInfo): void {
    const note = AGAIN.test(scan.note ?? "") ? scan.note : null;
    const before = this.notes.get(scan.id);
    this.notes.set(scan.id, note);
    if (note === null || before !== null || !this.enabled) return;
    const words = `${clip(scan.name, 60)}: ${clip(note, 200)}`;
    Notification.emit(words, "warning", this.options(scan));
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
