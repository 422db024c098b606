/** The page's one socket to the server, shared by all tables and the panel. */
import type { ScanSource } from "../components/panel/source";
import { ScanStore } from "../components/scan/store";
import { asIncoming, type LinkEvent, type Queues, type ScanInfo } from "../wire";
import type { Rest } from "./rest";
import { ServerLink } from "./serverlink";

const FIRST_WAIT_S = 1;
const LONGEST_WAIT_S = 30;

interface Opened {
  store: ScanStore;
  link: ServerLink;
  users: number;
}

interface Listing {
  type: string;
  scans?: ScanInfo[];
  scan?: ScanInfo | string;
}

export class Connection implements ScanSource {
  readonly scans = new Map<string, ScanInfo>();
  closed = true;
  received = 0;
  retry_s: number | undefined;
  /** Tells a server, also one that was started again, what it has to know before it is asked. */
  greet: () => Promise<void> = () => Promise.resolve();
  private socket: WebSocket | null = null;
  private wait = FIRST_WAIT_S;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly opened = new Map<string, Opened>();
  private readonly listeners = new Set<() => void>();

  constructor(private readonly rest: Rest) {
    this.connect();
  }

  on(fn: () => void): () => void {
    this.listeners.add(fn);
    return () => this.listeners.delete(fn);
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
    if (this.closed) link.give({ type: "closed" });
    else store.hello();
    return store;
  }

  release(id: string): void {
    const known = this.opened.get(id);
    if (!known || --known.users > 0) return;
    this.opened.delete(id);
    known.store.dispose();
    this.send({ type: "close", scan: id });
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
    socket.onopen = () => void this.connected();
    socket.onmessage = (event) => this.take(event.data);
    socket.onclose = () => this.socket === socket && this.lost();
  }

  private async connected(): Promise<void> {
    const { socket } = this;
    await this.greet();
    if (socket !== this.socket) return;
    this.closed = false;
    this.retry_s = undefined;
    this.wait = FIRST_WAIT_S;
    this.all({ type: "opened" });
    this.changed();
  }

  private lost(): void {
    this.socket = null;
    this.closed = true;
    this.retry_s = this.wait;
    this.timer = setTimeout(() => this.connect(), 1000 * this.wait * (0.8 + 0.4 * Math.random()));
    this.wait = Math.min(2 * this.wait, LONGEST_WAIT_S);
    this.all({ type: "closed", retry_s: this.retry_s });
    this.changed();
  }

  private send(message: unknown): void {
    if (!this.closed) this.socket?.send(JSON.stringify(message));
  }

  private take(data: unknown): void {
    const message = parsed(data);
    if (message === null) return;
    this.received = Date.now() / 1000;
    const event = asIncoming(message);
    if (event === null) return this.listed(message);
    if (typeof message.scan !== "object") return;
    this.scans.set(message.scan.id, message.scan); // the head of an opened scan comes only with its rows
    this.opened.get(message.scan.id)?.link.give(event);
    this.changed();
  }

  private listed({ type, scans, scan }: Listing): void {
    if (type === "scans" && Array.isArray(scans)) {
      this.scans.clear();
      for (const one of scans) this.scans.set(one.id, one);
    } else if (type === "scan" && typeof scan === "object") this.appeared(scan);
    else if (type === "gone" && typeof scan === "string") this.vanished(scan);
    else if (type === "missing" && typeof scan === "string")
      return this.opened.get(scan)?.link.give({ type: "missing" });
    this.changed();
  }

  private appeared(scan: ScanInfo): void {
    this.scans.set(scan.id, scan);
    const store = this.opened.get(scan.id)?.store;
    if (store?.missing) store.hello(); // it is back
  }

  private vanished(scan: string): void {
    this.scans.delete(scan);
    this.opened.get(scan)?.link.give({ type: "missing" });
  }

  private all(event: LinkEvent): void {
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
