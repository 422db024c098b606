import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Connection } from "../src/lab/connection";
import type { Rest } from "../src/lab/rest";
import { row, scan } from "./kit";

/** The browser's socket, with the server's end in the hands of the test. */
class FakeSocket {
  static all: FakeSocket[] = [];
  readonly sent: unknown[] = [];
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;

  constructor(readonly url: string) {
    FakeSocket.all.push(this);
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  give(message: unknown): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

let refuses = false;
const rest = {
  socketUrl: () => "ws://here",
  refuses: () => Promise.resolve(refuses),
} as unknown as Rest;
const last = (): FakeSocket => FakeSocket.all[FakeSocket.all.length - 1]!;
const turn = (): Promise<void> => Promise.resolve();
const rows = [row("v0001", { state: "running" })];
const head = scan(rows);
const snapshot = { type: "snapshot", rev: 7, scan: head, rows };

async function connected(): Promise<Connection> {
  const made = new Connection(rest);
  last().onopen?.();
  await turn();
  await turn();
  return made;
}

describe("the page's connection", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    FakeSocket.all = [];
    refuses = false;
    vi.stubGlobal("WebSocket", FakeSocket);
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("is one socket for all views of all scans", async () => {
    const connection = await connected();
    const store = connection.open(head.id);
    expect(connection.open(head.id)).toBe(store);
    expect(FakeSocket.all).toHaveLength(1);
    connection.release(head.id);
    expect(last().sent).toEqual([{ type: "open", scan: head.id }]);
    connection.release(head.id);
    expect(last().sent.at(-1)).toEqual({ type: "close", scan: head.id });
  });
  it("asks after an outage for what came since, with pauses that grow", async () => {
    const connection = await connected();
    const store = connection.open(head.id);
    last().give(snapshot);
    last().onclose?.();
    expect(store.closed).toBe(true);
    vi.advanceTimersByTime(1300);
    expect(FakeSocket.all).toHaveLength(2);
    last().onclose?.();
    vi.advanceTimersByTime(1300);
    expect(FakeSocket.all).toHaveLength(2);
    vi.advanceTimersByTime(1300);
    last().onopen?.();
    await turn();
    await turn();
    expect(last().sent).toEqual([{ type: "open", scan: head.id, since: 7 }]);
    expect(store.closed).toBe(false);
  });
  it("says when the page is to be reloaded, and then asks seldom", async () => {
    const connection = await connected();
    const store = connection.open(head.id);
    last().give(snapshot);
    refuses = true;
    last().onclose?.();
    await turn();
    // A socket that was open before says nothing about the page.
    expect(connection.refused).toBe(false);
    vi.advanceTimersByTime(1300);
    last().onclose?.();
    await turn();
    expect([connection.refused, store.refused, store.retryAt]).toEqual([true, true, null]);
    const tries = FakeSocket.all.length;
    vi.advanceTimersByTime(200_000);
    expect(FakeSocket.all).toHaveLength(tries);
    vi.advanceTimersByTime(110_000);
    expect(FakeSocket.all).toHaveLength(tries + 1);
    last().onopen?.();
    await turn();
    await turn();
    expect([connection.refused, store.refused]).toEqual([false, false]);
  });
  it("keeps trying while the server is only away", async () => {
    const connection = await connected();
    last().onclose?.();
    vi.advanceTimersByTime(1300);
    last().onclose?.();
    await turn();
    expect(connection.refused).toBe(false);
    vi.advanceTimersByTime(2600);
    expect(FakeSocket.all).toHaveLength(3);
  });
  it("lists a scan of which only the rows were sent", async () => {
    const connection = await connected();
    const heard = vi.fn();
    connection.on(heard);
    connection.open(head.id);
    last().give(snapshot);
    expect(connection.scans.get(head.id)?.counts.running).toBe(1);
    expect(heard).toHaveBeenCalled();
  });
  it("keeps what cannot be shown, as the server says it last", async () => {
    const connection = await connected();
    const bad = { folder: "/home/bad", why: "It is damaged." };
    last().give({ type: "scans", scans: [head], left_out: [bad] });
    expect(connection.leftOut).toEqual([bad]);
    expect(connection.scans.size).toBe(1);
    last().give({ type: "left_out", left_out: [] });
    expect(connection.leftOut).toEqual([]);
  });
  it("opens again what was gone and has come back", async () => {
    const connection = await connected();
    const store = connection.open(head.id);
    last().give(snapshot);
    last().give({ type: "gone", scan: head.id });
    expect(store.missing).toBe(true);
    expect(connection.scans.has(head.id)).toBe(false);
    last().give({ type: "scan", scan: head });
    expect(last().sent.at(-1)).toEqual({ type: "open", scan: head.id, since: 7 });
    last().give({ ...snapshot, rev: 9 });
    expect(store.missing).toBe(false);
  });
  it("tells a server what it has to know before it asks", async () => {
    const connection = await connected();
    connection.open(head.id);
    let told = (): void => undefined;
    connection.greet = () => new Promise<void>((done) => (told = done));
    last().onclose?.();
    vi.advanceTimersByTime(1300);
    last().onopen?.();
    await turn();
    expect(last().sent).toEqual([]);
    told();
    await turn();
    await turn();
    expect(last().sent).toEqual([{ type: "open", scan: head.id }]);
  });
  it("is not troubled by what is no message", async () => {
    const connection = await connected();
    connection.open(head.id);
    last().onmessage?.({ data: "{" });
    last().give({ type: "snapshot" });
    last().give(null);
    expect(connection.scans.size).toBe(0);
  });
});
