/** The metrics of variants as they were last received. */
import type { Curve, Metric, JobMetrics, Row } from "../../wire";
import type { ScanStore } from "../scan/store";

/** Milliseconds between two requests for the metrics of one variant. */
const PAUSE = 2000;
const STARTED = new Set(["running", "done", "failed", "cancelled", "lost"]);

/** A curve made of the few values of a sparkline, which is drawn until the whole curve comes. */
export function sketch({ trail, n }: Metric): Curve {
  const last = Math.max(n, trail.length) - 1;
  // The values of a trail are spread evenly over the epochs.
  const stride = trail.length > 1 ? last / (trail.length - 1) : 0;
  return { steps: trail.map((_, i) => Math.round(1 + i * stride)), values: trail };
}

/** Keeps the metrics of the variants that are drawn, and asks again when a row has changed. */
export class MetricsCache {
  private readonly known = new Map<string, JobMetrics>();
  /** When the metrics of a variant were last asked for, and for which row. */
  private readonly asked = new Map<string, { at: number; row: Row }>();
  private readonly off: () => void;

  constructor(
    private readonly store: ScanStore,
    received: () => void,
  ) {
    this.off = store.on((change) => {
      // Answers to what was asked before the link broke do not come any more.
      if (change.type === "link") this.asked.clear();
      if (change.type !== "metrics" || !this.asked.has(change.variant)) return;
      this.known.set(change.variant, change);
      received();
    });
  }

  dispose(): void {
    this.off();
  }

  get(id: string): JobMetrics | undefined {
    return this.known.get(id);
  }

  /** Asks for the metrics of these variants, and forgets those of all others. */
  want(ids: readonly string[]): void {
    const wanted = new Set(ids);
    for (const id of this.asked.keys()) {
      if (wanted.has(id)) continue;
      this.asked.delete(id);
      this.known.delete(id);
    }
    if (this.store.closed || this.store.missing) return;
    for (const id of ids) this.ask(id);
  }

  private ask(id: string): void {
    const row = this.store.rows.get(id);
    if (!row || !(STARTED.has(row.state) || Object.keys(row.metrics).length)) return;
    const before = this.asked.get(id);
    const now = performance.now();
    // Rows are replaced when they change, so the same object means the same metrics.
    if (before && (before.row === row || now - before.at < PAUSE)) return;
    this.asked.set(id, { at: now, row });
    this.store.send({ type: "metrics", variant: id });
  }
}
