/** Made by scripts/wire_types.mjs from docs/openapi.json; not written by hand. */

export type Action = "stop" | "retry" | "pause" | "resume" | "extend" | "replay";
export type ScanState = "running" | "paused" | "done" | "stopped" | "orphaned";
export type Num = number | ("NaN" | "Infinity" | "-Infinity");
export type Way = "file" | "push" | "drop" | "end";
export type State = "new" | "queued" | "running" | "done" | "failed" | "cancelled" | "lost";

/**
 * The first message of the stream.
 */
export interface AllScans {
  scans: ScanInfo[];
  type: "scans";
}
/**
 * A scan as a whole, and where its folder is; `browse` is the folder as a Jupyter server shows it.
 */
export interface ScanInfo {
  id: string;
  name: string;
  notebook: string;
  state: ScanState;
  backend: string;
  objective: Objective | null;
  params: string[];
  varied: string[];
  repeats: string | null;
  total: number | null;
  counts: {
    new: number;
    queued: number;
    running: number;
    done: number;
    failed: number;
    cancelled: number;
    lost: number;
  };
  best: string | null;
  best_value: Num | null;
  created: number;
  ended: number | null;
  left_s: number | null;
  gpu_s: number;
  now: number;
  note: string | null;
  channel: Way;
  reported: number | null;
  folder: string;
  browse: string | null;
  home: string;
}
/**
 * The metric that ranks variants, and how its series becomes one number.
 */
export interface Objective {
  metric: string;
  direction: "maximize" | "minimize";
  reduction: "last" | "max" | "min";
}
/**
 * How many jobs were named.
 */
export interface Announced {
  jobs: number;
}
/**
 * One attempt at a variant; `submitted` is when it was handed to the engine, `link` a page of the engine's about it.
 */
export interface Attempt {
  attempt: number;
  state: State;
  reason: string | null;
  message: string | null;
  where: string | null;
  gpu: string | null;
  submitted: number | null;
  started: number | null;
  ended: number | null;
  node: string | null;
  engine_id: string | null;
  link: string | null;
}
/**
 * A page needs the rows of a scan no more.
 */
export interface Close {
  type: "close";
  scan: string;
}
/**
 * What is asked of a scan; `variants` null is the whole scan, `trials` belongs to extend.
 */
export interface Command {
  variants?: string[] | null;
  trials?: number | null;
  action: Action;
}
/**
 * The executed notebook of a job as a model of Jupyter's contents API; nothing in it is trusted.
 */
export interface Contents {
  name: string;
  path: string;
  type: "notebook";
  format: "json";
  writable: boolean;
  created: string;
  last_modified: string;
  mimetype: null;
  size: number;
  content: {
    [k: string]: unknown;
  };
}
/**
 * One metric of one job, thinned. Steps are epochs; where the notebook named none, values are counted from 1.
 */
export interface Curve {
  steps: number[];
  values: Num[];
}
/**
 * Why a request was refused, in one sentence.
 */
export interface Fault {
  message: string;
}
/**
 * The folder of a scan was removed.
 */
export interface Gone {
  type: "gone";
  scan: string;
}
/**
 * GPUs of one kind; `count` is how many of them a node has. Null is what is not known, here and below.
 */
export interface GpuKind {
  vendor: string | null;
  model: string | null;
  vram_mb: number | null;
  cuda: string | null;
  count: number | null;
  total: number | null;
  free: number | null;
}
/**
 * The folder that scans are kept in, on the server; empty in a request: where they were at first.
 */
export interface Home {
  home: string;
}
/**
 * What the view of one variant shows beside its row; `defaults` are the notebook's own values, where they are plain.
 */
export interface Job {
  type: "job";
  variant: string;
  attempts: Attempt[];
  defaults: {
    [k: string]: unknown;
  };
  limits: Limits;
  has_notebook: boolean;
}
/**
 * What one job was granted.
 */
export interface Limits {
  gpus: number;
  memory_mb: number | null;
  walltime_s: number | null;
}
/**
 * What a job used at its last heartbeat: cores, MB, %.
 */
export interface Load {
  cpu?: number;
  memory_mb?: number;
  gpu?: number;
  gpu_memory_mb?: number;
}
/**
 * The bytes from `start` to `end` of the `size` that the log of a job has; `variant` is the job as it was asked for.
 */
export interface LogText {
  type: "log";
  variant: string;
  text: string;
  start: number;
  end: number;
  size: number;
}
/**
 * One metric of a row; `trail` are at most 48 values in order, for a sparkline.
 */
export interface Metric {
  last: Num;
  min: Num | null;
  max: Num | null;
  n: number;
  trail: Num[];
}
/**
 * The curves of one attempt.
 */
export interface Metrics {
  type: "metrics";
  variant: string;
  attempt: number;
  curves: {
    [k: string]: Curve;
  };
  usage: Usage;
}
/**
 * What one job used over time, thinned; lists of one length.
 */
export interface Usage {
  times: number[];
  cpu: (number | null)[];
  memory_mb: (number | null)[];
  gpu: (number | null)[];
  gpu_memory_mb: (number | null)[];
}
/**
 * There is no such scan.
 */
export interface Missing {
  type: "missing";
  scan: string;
}
/**
 * A scan that is new or has changed and that the page has not opened.
 */
export interface OneScan {
  type: "scan";
  scan: ScanInfo;
}
/**
 * A page wants all rows of a scan, or those that changed after revision `since`.
 */
export interface Open {
  since?: number | null;
  type: "open";
  scan: string;
}
/**
 * A place that jobs can be sent to; `free` of its `total` GPUs are free. The texts say the same in words.
 */
export interface Queue {
  name: string;
  backend: string;
  title: string;
  gpus: GpuKind[] | null;
  gpus_text: string;
  total: number | null;
  free: number | null;
  limits: QueueLimits;
  limits_text: string;
  runtimes: string[] | null;
  images: string[] | null;
  gpu_only: boolean;
  state: "online" | "offline" | "unknown";
  queue: string | null;
  account: string | null;
  qos: string | null;
  constraint: string | null;
  rank: number;
  default: boolean;
  source: string;
}
/**
 * The most that one job gets.
 */
export interface QueueLimits {
  walltime_s: number | null;
  memory_mb: number | null;
  cpus: number | null;
  gpus: number | null;
}
/**
 * All queues as of `asked`, and a sentence for whatever could not be asked or read.
 */
export interface Queues {
  asked: number;
  queues: Queue[];
  problems: string[];
}
/**
 * Why a collector does not take something; `next` is the offset from which a job may go on.
 */
export interface Refusal {
  next?: number;
  message: string;
}
/**
 * One variant. Times are Unix seconds, `notebook` counts from the scan's folder, `link` is the engine's page about it.
 */
export interface Row {
  peak_mb?: number | null;
  usage?: Load;
  reported?: number | null;
  link?: string;
  id: string;
  point: number;
  repeat: number;
  params: {
    [k: string]: unknown;
  };
  state: State;
  reason: string | null;
  message: string | null;
  cell: number | null;
  attempts: number;
  step: number | null;
  steps: number | null;
  metrics: {
    [k: string]: Metric;
  };
  value: Num | null;
  where: string | null;
  gpu: string | null;
  started: number | null;
  ended: number | null;
  notebook: string | null;
}
/**
 * One page of the rows of a scan; `total` counts all that fit the filter.
 */
export interface RowPage {
  total: number;
  rev: number;
  rows: Row[];
}
/**
 * The end of what the runner of a scan had to say.
 */
export interface RunnerLog {
  text: string;
}
/**
 * One sentence for the user.
 */
export interface Said {
  type: "said";
  text: string;
}
/**
 * All scans, newest first.
 */
export interface Scans {
  scans: ScanInfo[];
}
/**
 * All rows of a scan as of revision `rev`, which counts the events of its journal.
 */
export interface Snapshot {
  type: "snapshot";
  rev: number;
  scan: ScanInfo;
  rows: Row[];
}
/**
 * All bytes of the job's metrics file before `next` are kept.
 */
export interface Taken {
  next: number;
}
/**
 * The rows that changed after revision `from`, each of them whole.
 */
export interface Upsert {
  type: "upsert";
  from: number;
  rev: number;
  scan: ScanInfo;
  rows: Row[];
}
