/** One scan as far as it is known here. Several views may look at one store. */
import type {
  Job,
  Link,
  LinkEvent,
  LogText,
  Metrics,
  Outgoing,
  Refused,
  Row,
  ScanInfo,
  Snapshot,
  Upsert,
} from "../../wire";
import { RowStatistics } from "./statistics";

export type StoreChange =
  | { type: "data"; changed: Row[] | null; failed: Row[]; endedNow: boolean }
  | { type: "said"; text: string }
  | LogText
  | Metrics
  | Job
  | { type: "link"; closed: boolean }
  | { type: "chosen" }
  | { type: "missing" }
  | Refused;

const HELLO_AGAIN = 2000;
const ENDED = new Set(["done", "stopped"]);

export class ScanStore {
  readonly rows = new Map<string, Row>();
  scan: ScanInfo | null = null;
  statistics = new RowStatistics();
  closed = false;
  /** The sender knows no such scan: what is here is what was saved. */
  missing = false;
  /** When the link tries again, by this machine's clock. */
  retryAt: number | null = null;
  /** Variants somebody selected in a table; other views of the scan show them too. */
  selected: ReadonlySet<string> = new Set();
  /** By this machine's clock, in seconds. */
  received = 0;
  private rev = -1;
  private skew = 0;
  private asked = -Infinity;
  private readonly listeners = new Set<(change: StoreChange) => void>();
  private readonly unsubscribe: () => void;

  constructor(
    private readonly link: Link,
    private readonly clock: () => number = () => Date.now() / 1000,
  ) {
    this.unsubscribe = link.subscribe((event) => this.take(event));
  }

  /** Whom to name when there is no answer. */
  get peer(): Link["peer"] {
    return this.link.peer;
  }

  choose(ids: Iterable<string>): void {
    this.selected = new Set(ids);
    this.tell({ type: "chosen" });
  }

  on(listener: (change: StoreChange) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  send(message: Outgoing): void {
    this.link.send(message);
  }

  hello(): void {
    this.asked = performance.now();
    this.link.send(this.rev >= 0 ? { type: "hello", since: this.rev } : { type: "hello" });
  }

  /** This machine's clock, in seconds. */
  wall(): number {
    return this.clock();
  }

  /** The sender's clock; it stands still when nothing can be heard. */
  now(): number {
    return (this.closed || this.rev < 0 ? this.received : this.clock()) + this.skew;
  }

  dispose(): void {
    this.unsubscribe();
    this.listeners.clear();
  }

  /** What a saved trait holds; never older than what is known. */
  offer(first: Snapshot): void {
    if (first.rev > this.rev) this.take(first);
  }

  /** What a file holds: to look at until the sender is heard. */
  saved(snapshot: Snapshot): void {
    if (this.scan === null) this.replace({ ...snapshot, rev: -1 });
  }

  private take(event: LinkEvent): void {
    switch (event.type) {
      case "snapshot":
        return this.replace(event);
      case "upsert":
        return this.update(event);
      case "closed":
        return this.connect(false, event.retry_s);
      case "opened":
        return this.connect(true);
      case "missing":
        this.missing = true;
        return this.tell(event);
      default:
        this.tell(event);
    }
  }

  private connect(open: boolean, retry?: number): void {
    this.closed = !open;
    this.retryAt = retry === undefined ? null : this.clock() + retry;
    this.tell({ type: "link", closed: this.closed });
    if (open) this.hello();
  }

  private replace(message: Snapshot): void {
    const first = this.scan === null;
    if (this.scan?.id !== message.scan.id) this.statistics = new RowStatistics();
    const before = new Map(this.rows);
    this.rows.clear();
    const failed = this.put(message.rows, before);
    this.finish(message, null, first ? [] : failed);
  }

  /** Rows are whole, so even after a gap they are better than what was here. */
  private update(message: Upsert): void {
    if (message.rev < this.rev) return;
    if (this.scan === null || message.from > this.rev) this.askAgain();
    if (this.scan === null) return;
    this.finish(message, message.rows, this.put(message.rows, this.rows));
  }

  private askAgain(): void {
    if (performance.now() - this.asked > HELLO_AGAIN) this.hello();
  }

  private put(rows: Row[], before: ReadonlyMap<string, Row>): Row[] {
    const failed: Row[] = [];
    for (const row of rows) {
      const old = before.get(row.id);
      if (row.state === "failed" && old && old.state !== "failed") failed.push(row);
      this.rows.set(row.id, row);
      this.statistics.add(row);
    }
    return failed;
  }

  private finish(message: Snapshot | Upsert, changed: Row[] | null, failed: Row[]): void {
    const was = this.scan?.state;
    this.scan = message.scan;
    this.rev = message.rev;
    this.missing = this.rev < 0 && this.missing;
    this.received = this.rev < 0 ? message.scan.now : this.clock();
    this.skew = message.scan.now - this.received;
    const endedNow = was !== undefined && !ENDED.has(was) && ENDED.has(message.scan.state);
    if (this.closed && this.rev >= 0) this.connectSilently();
    this.tell({ type: "data", changed, failed, endedNow });
  }

  private connectSilently(): void {
    this.closed = false;
    this.retryAt = null;
    this.tell({ type: "link", closed: false });
  }

  private tell(change: StoreChange): void {
    for (const listener of [...this.listeners]) listener(change);
  }
}
