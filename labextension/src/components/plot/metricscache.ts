/** Metrics of variants as they were last heard; those whose row has changed are asked for again. */
import type { Curve, Metric, Metrics, Row } from "../../wire";
import type { ScanStore } from "../scan/store";

/** Milliseconds between two questions about one variant. */
const PAUSE = 2000;
const STARTED = new Set(["running", "done", "failed", "cancelled", "lost"]);

/** The few values of a row's sparkline, until the whole curve comes. */
export function sketch({ trail, n }: Metric): Curve {
  const stride = trail.length > 1 ? (Math.max(n, trail.length) - 1) / (trail.length - 1) : 0;
  return { steps: trail.map((_, i) => Math.round(1 + i * stride)), values: trail };
}

export class MetricsCache {
  private readonly known = new Map<string, Metrics>();
  private readonly asked = new Map<string, { at: number; row: Row }>();
  private readonly off: () => void;

  constructor(
    private readonly store: ScanStore,
    heard: () => void,
  ) {
    this.off = store.on((change) => {
      if (change.type === "link") this.asked.clear();
      if (change.type !== "metrics" || !this.asked.has(change.variant)) return;
      this.known.set(change.variant, change);
      heard();
    });
  }

  dispose(): void {
    this.off();
  }

  get(id: string): Metrics | undefined {
    return this.known.get(id);
  }

  /** Asks for these and forgets all others. */
  want(ids: readonly string[]): void {
    const wanted = new Set(ids);
    for (const id of this.asked.keys()) {
      if (wanted.has(id)) continue;
      this.asked.delete(id);
      this.known.delete(id);
    }
    if (!this.store.closed && !this.store.missing) for (const id of ids) this.ask(id);
  }

  private ask(id: string): void {
    const row = this.store.rows.get(id);
    if (!row || !(STARTED.has(row.state) || Object.keys(row.metrics).length)) return;
    const before = this.asked.get(id);
    const now = performance.now();
    if (before && (before.row === row || now - before.at < PAUSE)) return;
    this.asked.set(id, { at: now, row });
    this.store.send({ type: "metrics", variant: id });
  }
}
