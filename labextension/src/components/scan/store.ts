/** One scan as far as a page knows it. Several views may look at one store. */
import type {
  JobDetails,
  Link,
  LinkEvent,
  LogText,
  JobMetrics,
  Outgoing,
  Refused,
  ObjectiveInfo,
  Row,
  ScanInfo,
  Snapshot,
  Upsert,
} from "../../wire";
import { rankedRow, rankedScan } from "./ranking";
import { RowStatistics } from "./statistics";

/** What a store tells its views. */
export type StoreChange =
  /** Rows changed; `changed` is null where all may have. `failed` have failed just now. */
  | { type: "data"; changed: Row[] | null; failed: Row[]; endedNow: boolean }
  | { type: "said"; text: string }
  | LogText
  | JobMetrics
  | JobDetails
  | { type: "link"; closed: boolean }
  /** Other variants are selected. */
  | { type: "chosen" }
  /** Another objective ranks the variants; a change of all rows follows. */
  | { type: "ranked" }
  | { type: "missing" }
  | Refused;

/** A missed message is asked for at most once in so many milliseconds. */
const HELLO_AGAIN = 2000;
const ENDED = new Set(["done", "stopped"]);

/**
 * The rows of a scan, kept up to date from its link.
 *
 * A user may rank them by another objective. Then head and rows are as if the scan had this one.
 */
export class ScanStore {
  readonly rows = new Map<string, Row>();
  scan: ScanInfo | null = null;
  /** The head as the sender told it, with the scan's own objectives. */
  told: ScanInfo | null = null;
  /** The objective that a user chose for this page; null for the scan's own. */
  ranking: ObjectiveInfo | null = null;
  statistics = new RowStatistics();
  /** The link is broken. */
  closed = false;
  /** The sender knows no such scan: what is here is what was saved. */
  missing = false;
  /** The link is broken since the server does not know this page any more. */
  refused = false;
  /** When the link is tried again, by the clock of this machine in Unix seconds. */
  retryAt: number | null = null;
  /** Variants that a user selected in a table; other views of the scan show them too. */
  selected: ReadonlySet<string> = new Set();
  /** When the last rows came, by the clock of this machine in Unix seconds. */
  received = 0;
  /** The rows as the sender told them. */
  private readonly toldRows = new Map<string, Row>();
  /** The revision of the rows: how many events of the journal they hold; -1 before any came. */
  private rev = -1;
  /** How many seconds the clock of the sender is ahead of the one of this machine. */
  private skew = 0;
  private helloAt = -Infinity;
  private readonly listeners = new Set<(change: StoreChange) => void>();
  private readonly unsubscribe: () => void;

  constructor(
    private readonly link: Link,
    private readonly clock: () => number = () => Date.now() / 1000,
  ) {
    this.unsubscribe = link.subscribe((event) => this.receive(event));
  }

  /** Who answers: a sentence about a missing answer has to name it. */
  get peer(): Link["peer"] {
    return this.link.peer;
  }

  /** Whether the rows came from the sender, and not from a saved file. */
  get fresh(): boolean {
    return this.rev >= 0 && !this.missing;
  }

  /** Selects these variants in all views. */
  choose(ids: Iterable<string>): void {
    this.selected = new Set(ids);
    this.tell({ type: "chosen" });
  }

  /** Ranks the variants by another objective in all views; null brings the scan's own back. */
  rankBy(objective: ObjectiveInfo | null): void {
    this.ranking = objective;
    if (this.told === null) return;
    this.statistics = new RowStatistics();
    for (const row of this.toldRows.values()) this.keep(row);
    this.scan = this.ranked(this.told);
    this.tell({ type: "ranked" });
    this.tell({ type: "data", changed: null, failed: [], endedNow: false });
  }

  /** A head of the scan, as this page ranks its variants. */
  ranked(scan: ScanInfo): ScanInfo {
    return this.ranking ? rankedScan(scan, this.rows.values(), this.ranking) : scan;
  }

  /** Calls `listener` after each change; returns a function that ends this. */
  on(listener: (change: StoreChange) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  send(message: Outgoing): void {
    this.link.send(message);
  }

  /** Asks for what came after the revision that is known, or for everything. */
  hello(): void {
    this.helloAt = performance.now();
    this.link.send(this.rev >= 0 ? { type: "hello", since: this.rev } : { type: "hello" });
  }

  /** The time by the clock of this machine, in Unix seconds. */
  wall(): number {
    return this.clock();
  }

  /** The time by the clock of the sender, in Unix seconds. It stands still without a connection. */
  now(): number {
    const ours = this.closed || this.rev < 0 ? this.received : this.clock();
    return ours + this.skew;
  }

  dispose(): void {
    this.unsubscribe();
    this.listeners.clear();
  }

  /** Takes the snapshot that a widget kept, unless newer rows have come already. */
  offer(first: Snapshot): void {
    if (first.rev > this.rev) this.receive(first);
  }

  /** Takes the snapshot of a saved file, to look at until the sender answers. */
  saved(snapshot: Snapshot): void {
    // With its revision, the sender would be asked for later rows alone; the file may be cut.
    if (this.scan === null) this.replace({ ...snapshot, rev: -1 });
  }

  private receive(event: LinkEvent): void {
    switch (event.type) {
      case "snapshot":
        return this.replace(event);
      case "upsert":
        return this.update(event);
      case "closed":
        this.refused = event.refused === true;
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

  private connect(open: boolean, retrySeconds?: number): void {
    this.closed = !open;
    if (open) this.refused = false;
    this.retryAt = retrySeconds === undefined ? null : this.clock() + retrySeconds;
    this.tell({ type: "link", closed: this.closed });
    if (open) this.hello();
  }

  private replace(message: Snapshot): void {
    const first = this.scan === null;
    if (this.scan?.id !== message.scan.id) this.statistics = new RowStatistics();
    const before = new Map(this.rows);
    this.rows.clear();
    this.toldRows.clear();
    const failed = this.put(message.rows, before);
    // What had failed before a page was opened is no news.
    this.finish(message, null, first ? [] : failed);
  }

  /** Takes changed rows. They are whole, so they are good even where a message before was lost. */
  private update(message: Upsert): void {
    if (message.rev < this.rev) return;
    if (this.scan === null || message.from > this.rev) this.helloAgain();
    if (this.scan === null) return;
    const failed = this.put(message.rows, this.rows);
    const changed = message.rows.map((row) => this.rows.get(row.id) ?? row);
    this.finish(message, changed, failed);
  }

  private helloAgain(): void {
    if (performance.now() - this.helloAt > HELLO_AGAIN) this.hello();
  }

  /** Stores rows; returns those that failed since `before`. */
  private put(rows: Row[], before: ReadonlyMap<string, Row>): Row[] {
    const failed: Row[] = [];
    for (const row of rows) {
      const old = before.get(row.id);
      if (row.state === "failed" && old && old.state !== "failed") failed.push(row);
      this.toldRows.set(row.id, row);
      this.keep(row);
    }
    return failed;
  }

  /** Keeps a row as this page ranks it. */
  private keep(row: Row): void {
    const kept = this.ranking ? rankedRow(row, this.ranking) : row;
    this.rows.set(row.id, kept);
    this.statistics.add(kept);
  }

  private finish(message: Snapshot | Upsert, changed: Row[] | null, failed: Row[]): void {
    const stateBefore = this.scan?.state;
    this.told = message.scan;
    this.scan = this.ranked(message.scan);
    this.rev = message.rev;
    const fromFile = this.rev < 0;
    this.missing = fromFile && this.missing;
    this.received = fromFile ? message.scan.now : this.clock();
    this.skew = message.scan.now - this.received;
    const wentOn = stateBefore !== undefined && !ENDED.has(stateBefore);
    const endedNow = wentOn && ENDED.has(message.scan.state);
    // Rows came, so there is a connection, whatever the link said last.
    if (this.closed && !fromFile) this.markOpen();
    this.tell({ type: "data", changed, failed, endedNow });
  }

  private markOpen(): void {
    this.closed = false;
    this.refused = false;
    this.retryAt = null;
    this.tell({ type: "link", closed: false });
  }

  private tell(change: StoreChange): void {
    // A listener may remove itself while the others are told.
    for (const listener of [...this.listeners]) listener(change);
  }
}
