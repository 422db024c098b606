/** Made-up scans for the tests. */
import { vi } from "vitest";
import { Panel } from "../src/components/panel/panel";
import type { ScanSource } from "../src/components/panel/source";
import { makeCurves } from "../src/components/plot/curvesview";
import type { Host, PanelHost } from "../src/components/scan/host";
import { ScanStore } from "../src/components/scan/store";
import { LiveTable } from "../src/components/table/table";
import type {
  LeftOutScan,
  Link,
  LinkEvent,
  Metric,
  Outgoing,
  Queues,
  Row,
  ScanInfo,
  State,
} from "../src/wire";

export function metric(...trail: Metric["trail"]): Metric {
  return { last: trail[trail.length - 1] ?? "NaN", min: null, max: null, n: trail.length, trail };
}

export function row(id: string, more: Partial<Row> = {}): Row {
  return {
    ...{
      id,
      point: Number(id.slice(1)),
      repeat: 0,
      params: { lr: 0.001, units: 64 },
      state: "done",
    },
    ...{ reason: null, message: null, cell: null, attempts: 1, step: 20, steps: 20 },
    ...{ metrics: { acc: metric(0.5, 0.9) }, value: 0.9, where: null, gpu: null },
    ...{ started: 1000, ended: 1060, notebook: `jobs/${id}.1/abc/output.ipynb` },
    ...more,
  };
}

export function counts(rows: readonly Row[]): Record<State, number> {
  const found = { new: 0, queued: 0, running: 0, done: 0, failed: 0, cancelled: 0, lost: 0 };
  for (const { state } of rows) found[state] += 1;
  return found;
}

export function scan(rows: readonly Row[], more: Partial<ScanInfo> = {}): ScanInfo {
  return {
    ...{ id: "s1", name: "btag", notebook: "train.ipynb", state: "running", backend: "local" },
    objective: { metric: "acc", direction: "maximize", reduction: "max" },
    ...{
      params: ["lr", "units"],
      varied: ["lr"],
      repeats: null,
      total: null,
      counts: counts(rows),
    },
    ...{
      best: null,
      best_value: null,
      created: 1000,
      ended: null,
      left_s: null,
      gpu_s: 0,
      now: 2000,
    },
    ...{ folder: "/data/scan", browse: "/home/me/nb/scan", home: "/home/me", note: null },
    ...{ foreign: null, accept: [] },
    ...{ channel: "file", reported: null, warnings: [], stopped_by: null },
    ...more,
  };
}

export class FakeLink implements Link {
  constructor(readonly peer: Link["peer"] = "kernel") {}

  readonly sent: Outgoing[] = [];
  readonly listeners = new Set<(event: LinkEvent) => void>();

  send(message: Outgoing): void {
    this.sent.push(message);
  }

  subscribe(fn: (event: LinkEvent) => void): () => void {
    this.listeners.add(fn);
    return () => this.listeners.delete(fn);
  }

  give(event: LinkEvent): void {
    for (const fn of [...this.listeners]) fn(event);
  }

  commands(): Outgoing[] {
    return this.sent.filter(({ type }) => type === "command");
  }
}

export interface Stage {
  link: FakeLink;
  store: ScanStore;
  table: LiveTable;
  element: HTMLElement;
  upsert(rows: Row[], more?: Partial<ScanInfo>): void;
  ids(): (string | undefined)[];
  row(id: string): HTMLElement;
  cell(id: string, column: string): string | null;
  press(key: string, more?: KeyboardEventInit): void;
}

const positions = (element: HTMLElement): HTMLElement[] =>
  [...element.querySelectorAll<HTMLElement>(".gg-row[data-id]")].sort(
    (a, b) => Number(a.getAttribute("aria-rowindex")) - Number(b.getAttribute("aria-rowindex")),
  );

/** A table in the page, with a first snapshot of the rows. */
export function stage(
  rows: Row[],
  more: Partial<ScanInfo> = {},
  host: Host = {},
  peer: Link["peer"] = "kernel",
): Stage {
  document.body.replaceChildren();
  const link = new FakeLink(peer);
  const store = new ScanStore(link);
  let rev = 1;
  link.give({ type: "snapshot", rev, scan: scan(rows, more), rows });
  const table = new LiveTable(store, makeCurves, { host });
  document.body.append(table.element);
  const found = (id: string): HTMLElement => {
    const element = positions(table.element).find((one) => one.dataset["id"] === id);
    if (!element) throw new Error(`no row ${id}`);
    return element;
  };
  return {
    ...{ link, store, table, element: table.element, row: found },
    upsert(changed, scanMore = {}) {
      const all = new Map([...store.rows, ...changed.map((one) => [one.id, one] as const)]);
      const info = scan([...all.values()], { ...more, ...scanMore });
      link.give({ type: "upsert", from: rev, rev: (rev += 1), scan: info, rows: changed });
      table.flush();
    },
    ids: () => positions(table.element).map((element) => element.dataset["id"]),
    cell: (id, column) =>
      [...found(id).querySelectorAll<HTMLElement>("[data-col]")].find(
        (one) => one.dataset["col"] === column,
      )?.textContent ?? null,
    press,
  };
}

/** Scans as a server would tell them; a store answers with its rows at once. */
export class FakeScans implements ScanSource {
  readonly scans = new Map<string, ScanInfo>();
  readonly links = new Map<string, FakeLink>();
  readonly users = new Map<string, number>();
  closed = false;
  received = Date.now() / 1000;
  retry_s: number | undefined;
  tries = 0;
  leftOut: readonly LeftOutScan[] = [];
  queues = vi.fn<() => Promise<Queues>>(() =>
    Promise.resolve({ asked: 1000, queues: [], profiles: [], problems: [] }),
  );
  private readonly listeners = new Set<() => void>();
  private readonly stores = new Map<string, ScanStore>();

  constructor(private readonly told: [ScanInfo, Row[]][]) {
    for (const [info] of told) this.scans.set(info.id, info);
  }

  on(fn: () => void): () => void {
    this.listeners.add(fn);
    return () => this.listeners.delete(fn);
  }

  changed(): void {
    for (const fn of [...this.listeners]) fn();
  }

  open(id: string): ScanStore {
    this.users.set(id, (this.users.get(id) ?? 0) + 1);
    const known = this.stores.get(id);
    if (known) return known;
    const [info, rows] = this.told.find(([one]) => one.id === id) as [ScanInfo, Row[]];
    const link = new FakeLink("server");
    const store = new ScanStore(link);
    this.links.set(id, link);
    this.stores.set(id, store);
    link.give({ type: "snapshot", rev: 1, scan: info, rows });
    return store;
  }

  release(id: string): void {
    this.users.set(id, (this.users.get(id) ?? 0) - 1);
  }

  tryNow(): void {
    this.tries += 1;
  }

  runnerLog(id: string): Promise<string> {
    return Promise.resolve(`\u001b[31m${id}: <b>the disk is full</b>\u0007`);
  }
}

export interface PanelStage {
  source: FakeScans;
  host: Record<"openJob" | "openTable" | "scanNotebook" | "openNotebook", ReturnType<typeof vi.fn>>;
  panel: Panel;
  element: HTMLElement;
  /** The lines of the tree that can be reached, as they read. */
  lines(): string[];
  line(text: string): HTMLElement;
  press(key: string, more?: KeyboardEventInit): void;
}

export function panelStage(told: [ScanInfo, Row[]][]): PanelStage {
  document.body.replaceChildren();
  const source = new FakeScans(told);
  const host = {
    openJob: vi.fn(),
    openTable: vi.fn(),
    scanNotebook: vi.fn(),
    openNotebook: vi.fn(),
  };
  const panel = new Panel(source, host as unknown as PanelHost);
  document.body.append(panel.element);
  const items = (): HTMLElement[] =>
    [...panel.element.querySelectorAll<HTMLElement>("[role=treeitem]")].filter(
      (one) => !one.closest("[hidden]"),
    );
  return {
    ...{ source, host, panel, element: panel.element, press },
    lines: () => items().map((one) => one.textContent ?? ""),
    line(text) {
      const found = items().find((one) => one.textContent?.includes(text));
      if (!found) throw new Error(`no line says ${text}`);
      return found;
    },
  };
}

export function press(key: string, init: KeyboardEventInit = {}): void {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...init });
  (document.activeElement ?? document.body).dispatchEvent(event);
}

export function labelled(root: ParentNode, label: string): HTMLElement {
  const found = root.querySelector<HTMLElement>(`[aria-label="${label}"]`);
  if (!found) throw new Error(`nothing is called ${label}`);
  return found;
}

export function writeFilter(element: HTMLElement, text: string): void {
  const input = labelled(element, "Filter rows") as HTMLInputElement;
  input.value = text;
  input.dispatchEvent(new Event("input"));
}

export const later = (ms: number): void => void vi.advanceTimersByTime(ms);
