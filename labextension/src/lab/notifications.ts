/** Notifications that a scan has ended or has lost its runner. */
import { Notification } from "@jupyterlab/apputils";
import type { TranslationBundle } from "@jupyterlab/translation";
import { clip } from "../components/ui/text";
import type { ScanInfo, ScanState } from "../wire";
import type { Connection } from "./connection";
import type { Views } from "./tokens";

/** The note of a scan whose runner was started again begins like this. */
const RESTARTED = /^Its runner ended/;
const ENDED = new Set<ScanState>(["done", "stopped"]);

/** Notifies once of each change, and only of scans that this page saw running. */
export class ScanNotifications {
  /** The user may have turned notifications off. */
  enabled = true;
  /** The last note of each scan about its runner, and the last state of each scan. */
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
      this.noteChanged(scan);
      // What had ended before the page was opened is no news.
      if (before === undefined || before === scan.state || !this.enabled) continue;
      if (ENDED.has(scan.state)) this.ended(scan);
      else if (scan.state === "orphaned") this.died(scan);
    }
  }

  /** Notifies of a runner that was started again, when the note about it comes. */
  private noteChanged(scan: ScanInfo): void {
    const note = RESTARTED.test(scan.note ?? "") ? scan.note : null;
    const before = this.notes.get(scan.id);
    this.notes.set(scan.id, note);
    if (note === null || before !== null || !this.enabled) return;
    const text = `${clip(scan.name, 60)}: ${clip(note, 200)}`;
    Notification.emit(text, "warning", this.options(scan));
  }

  private ended(scan: ScanInfo): void {
    const { failed, lost } = scan.counts;
    const kind = failed + lost > 0 ? "warning" : "success";
    Notification.emit(this.endedText(scan), kind, this.options(scan));
  }

  private endedText(scan: ScanInfo): string {
    const { done, failed, lost } = scan.counts;
    const bad = failed + lost;
    const name = clip(scan.name, 60);
    if (scan.stopped_by) return `${name}: ${clip(scan.stopped_by, 300)}`;
    if (scan.state === "stopped") return this.trans.__("%1 was stopped: %2 done.", name, done);
    if (bad > 0) return this.trans.__("%1 has ended: %2 done, %3 failed.", name, done, bad);
    return this.trans.__("%1 has ended: all %2 done.", name, done);
  }

  private died(scan: ScanInfo): void {
    const text = this.trans.__("%1 is not being watched: its runner ended.", clip(scan.name, 60));
    Notification.emit(text, "warning", this.options(scan));
  }

  private options(scan: ScanInfo): object {
    const label = this.trans.__("Open table");
    const callback = (): void => this.views.openTable(scan, "table");
    return { autoClose: 10_000, actions: [{ label, callback }] };
  }
}
