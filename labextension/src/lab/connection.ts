/** The one connection of a page to the server. All tables and the panel share it. */
import type { ScanSource } from "../components/panel/source";
import { ScanStore } from "../components/scan/store";
import { asIncoming, type LeftOutScan, type LinkEvent, type Queues, type ScanInfo } from "../wire";
import type { Rest } from "./rest";
import { ServerLink } from "./serverlink";

/** Seconds until the first try to connect again. Each further wait is twice as long. */
const FIRST_WAIT = 1;
const LONGEST_WAIT = 30;
/** A server that does not know the page is asked so seldom, in seconds: a reload is needed. */
const REFUSED_WAIT = 300;

/** A scan that is open in the page. */
interface OpenedScan {
  store: ScanStore;
  link: ServerLink;
  /** How many views have opened it. */
  users: number;
}

/** A message about scans that are not open. */
interface Listing {
  type: string;
  scans?: ScanInfo[];
  scan?: ScanInfo | string;
  left_out?: LeftOutScan[];
}

/** Holds the socket, connects again when it is lost, and hands messages to the open scans. */
export class Connection implements ScanSource {
  readonly scans = new Map<string, ScanInfo>();
  closed = true;
  received = 0;
  retry_s: number | undefined;
  refused = false;
  elsewhere: readonly string[] = [];
  leftOut: readonly LeftOutScan[] = [];
  /** Is called with each new connection: a server that was started again has to be told anew. */
  greet: () => Promise<void> = () => Promise.resolve();
  private socket: WebSocket | null = null;
  private wait = FIRST_WAIT;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly opened = new Map<string, OpenedScan>();
  private readonly listeners = new Set<() => void>();

  constructor(private readonly rest: Rest) {
    this.connect();
  }

  on(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  open(id: string): ScanStore {
    const known = this.opened.get(id);
    if (known) {
      known.users += 1;
      return known.store;
    }
    const link = new ServerLink(id, this.rest, (since) =>
      this.send({ type: "open", scan: id, since }),
    );
    const store = new ScanStore(link);
    this.opened.set(id, { store, link, users: 1 });
    if (this.closed) link.give({ type: "closed", refused: this.refused });
    else store.hello();
    return store;
  }

  release(id: string): void {
    const known = this.opened.get(id);
    if (!known) return;
    known.users -= 1;
    if (known.users > 0) return;
    this.opened.delete(id);
    known.store.dispose();
    this.send({ type: "close", scan: id });
  }

  /** Takes a sentence about scans that a kernel keeps where the server does not see them. */
  noteElsewhere(text: string): void {
    if (this.elsewhere.includes(text)) return;
    this.elsewhere = [...this.elsewhere, text];
    this.changed();
  }

  tryNow(): void {
    if (this.socket === null) this.connect();
  }

  async runnerLog(id: string): Promise<string> {
    return (await this.rest.get<{ text: string }>(["scans", id, "log"])).text;
  }

  queues(): Promise<Queues> {
    return this.rest.get<Queues>(["queues"]);
  }

  private connect(): void {
    clearTimeout(this.timer);
    const socket = new WebSocket(this.rest.socketUrl());
    this.socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      void this.connected();
    };
    socket.onmessage = (event) => this.receive(event.data);
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.lost();
      // A browser does not say why a socket was not opened.
      if (!opened) void this.lookIfRefused();
    };
  }

  private async connected(): Promise<void> {
    const { socket } = this;
    await this.greet();
    // Meanwhile the connection may have been lost again.
    if (socket !== this.socket) return;
    this.closed = false;
    this.refused = false;
    this.retry_s = undefined;
    this.wait = FIRST_WAIT;
    this.tellOpened({ type: "opened" });
    this.changed();
  }

  /** Says so if the server does not know the page any more, as after a restart by a hub. */
  private async lookIfRefused(): Promise<void> {
    const refused = await this.rest.refuses();
    if (!this.closed || this.socket !== null || !refused) return;
    this.refused = true;
    this.retry_s = undefined;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), 1000 * REFUSED_WAIT);
    this.tellOpened({ type: "closed", refused });
    this.changed();
  }

  private lost(): void {
    this.socket = null;
    this.closed = true;
    this.retry_s = this.wait;
    // Chance keeps the pages of all users from coming back at the same moment.
    const seconds = this.wait * (0.8 + 0.4 * Math.random());
    this.timer = setTimeout(() => this.connect(), 1000 * seconds);
    this.wait = Math.min(2 * this.wait, LONGEST_WAIT);
    this.tellOpened({ type: "closed", retry_s: this.retry_s });
    this.changed();
  }

  private send(message: unknown): void {
    if (!this.closed) this.socket?.send(JSON.stringify(message));
  }

  private receive(data: unknown): void {
    const message = parsed(data);
    if (message === null) return;
    this.received = Date.now() / 1000;
    const event = asIncoming(message);
    if (event === null) return this.listed(message);
    if (typeof message.scan !== "object") return;
    // The server tells of an open scan only together with its rows.
    this.scans.set(message.scan.id, message.scan);
    this.opened.get(message.scan.id)?.link.give(event);
    this.changed();
  }

  private listed({ type, scans, scan, left_out }: Listing): void {
    if (Array.isArray(left_out)) this.leftOut = left_out;
    if (type === "scans" && Array.isArray(scans)) this.replaceAll(scans);
    else if (type === "scan" && typeof scan === "object") this.appeared(scan);
    else if (type === "gone" && typeof scan === "string") this.vanished(scan);
    else if (type === "missing" && typeof scan === "string") return this.missing(scan);
    this.changed();
  }

  private replaceAll(scans: readonly ScanInfo[]): void {
    this.scans.clear();
    for (const scan of scans) this.scans.set(scan.id, scan);
  }

  private missing(id: string): void {
    this.opened.get(id)?.link.give({ type: "missing" });
  }

  private vanished(id: string): void {
    this.scans.delete(id);
    this.missing(id);
  }

  private appeared(scan: ScanInfo): void {
    this.scans.set(scan.id, scan);
    const store = this.opened.get(scan.id)?.store;
    // A scan that was gone is back.
    if (store?.missing) store.hello();
  }

  private tellOpened(event: LinkEvent): void {
    for (const { link } of [...this.opened.values()]) link.give(event);
  }

  private changed(): void {
    for (const listener of [...this.listeners]) listener();
  }
}

function parsed(data: unknown): Listing | null {
  try {
    return typeof data === "string" ? (JSON.parse(data) as Listing) : null;
  } catch {
    return null;
  }
}
