/** A job view with a fake link, and what it is told. */
import { JobView } from "../src/components/job/jobview";
import { makeCurves } from "../src/components/plot/curvesview";
import type { Host } from "../src/components/scan/host";
import { ScanStore } from "../src/components/scan/store";
import type { JobDetails, Link, JobMetrics, Row, ScanInfo } from "../src/wire";
import { FakeLink, row, scan } from "./kit";
export const running = (more: Partial<Row> = {}): Row =>
  row("v0051", {
    state: "running",
    step: 14,
    started: 1400,
    ended: null,
    value: 0.8,
    attempts: 2,
    notebook: null,
    where: "CERN",
    gpu: "A100",
    ...more,
  });

export const job = (more: Partial<JobDetails> = {}): JobDetails => ({
  ...{ type: "job", variant: "v0051", has_notebook: true },
  attempts: [
    {
      ...{ attempt: 1, state: "failed", reason: "node", message: "Node went away after 11 min." },
      ...{
        where: "MANC",
        gpu: "V100",
        submitted: 0,
        started: 300,
        ended: 960,
        node: null,
        engine_id: null,
        link: null,
      },
    },
    {
      ...{ attempt: 2, state: "running", reason: null, message: null, where: "CERN", gpu: "A100" },
      ...{ submitted: 970, started: 1400, ended: null, node: "b7g31", engine_id: "x", link: null },
    },
  ],
  defaults: { lr: 0.1, units: 64, seed: 1 },
  limits: { gpus: 1, memory_mb: 16384, walltime_s: 3600 },
  ...more,
});

export const metrics = (more: Partial<JobMetrics> = {}): JobMetrics => ({
  ...{ type: "metrics", variant: "v0051", attempt: 2 },
  curves: {
    acc: { steps: [1, 2, 3], values: [0.1, 0.5, 0.8] },
    loss: { steps: [1, 2], values: [2, 1] },
  },
  usage: {
    times: [0, 10, 20],
    cpu: [null, null, null],
    memory_mb: [1024, 4096, 2048],
    gpu: [10, null, 90],
    gpu_memory_mb: [null, null, null],
  },
  ...more,
});

export interface JobStage {
  link: FakeLink;
  store: ScanStore;
  view: JobView;
  element: HTMLElement;
  give(rows: Row[], more?: Partial<ScanInfo>): void;
  asked(type: string): unknown[];
}

export function jobStage(rows: Row[], host: Host = {}, peer: Link["peer"] = "server"): JobStage {
  document.body.replaceChildren();
  const link = new FakeLink(peer);
  const store = new ScanStore(link);
  let rev = 1;
  link.give({ type: "snapshot", rev, scan: scan(rows, { best: "v0038", best_value: 0.9 }), rows });
  const view = new JobView(store, "v0051", makeCurves, host);
  document.body.append(view.element);
  return {
    ...{ link, store, view, element: view.element },
    give(changed, more = {}) {
      const info = scan([...store.rows.values()], { best: "v0038", best_value: 0.9, ...more });
      link.give({ type: "upsert", from: rev, rev: (rev += 1), scan: info, rows: changed });
      view.flush();
    },
    asked: (type) => link.sent.filter((one) => one.type === type),
  };
}

export const best = row("v0038", { value: 0.9 });
