/** Made by scripts/wire_types.mjs from docs/openapi.json; not written by hand. */

export type Action = "stop" | "retry" | "pause" | "resume" | "extend" | "replay";
export type ScanState = "running" | "paused" | "done" | "stopped" | "orphaned";
export type Num = number | ("NaN" | "Infinity" | "-Infinity");
export type ChannelName = "file" | "push" | "drop" | "end";
export type State = "new" | "queued" | "running" | "done" | "failed" | "cancelled" | "lost";

/**
 * The first message of the stream: all scans, newest first.
 */
export interface AllScans {
  scans: ScanInfo[];
  left_out: LeftOutScan[];
  type: "scans";
}
/**
 * A scan as a whole, and where its folder is.
 */
export interface ScanInfo {
  objectives?: ObjectiveInfo[];
  pareto?: string[];
  id: string;
  name: string;
  notebook: string;
  state: ScanState;
  backend: string;
  /**
   * the only one; null where there is none or several
   */
  objective: ObjectiveInfo | null;
  /**
   * all parameters that the scan gives, in the order of the cell
   */
  params: string[];
  /**
   * those of them that have more than one value
   */
  varied: string[];
  /**
   * the parameter that repeats every point
   */
  repeats: string | null;
  /**
   * how many variants there will be
   */
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
  /**
   * id of the variant with the best objective; null where there are several
   */
  best: string | null;
  /**
   * of its objective
   */
  best_value: Num | null;
  created: number;
  ended: number | null;
  /**
   * estimated seconds to the end
   */
  left_s: number | null;
  /**
   * GPU seconds of all jobs together
   */
  gpu_s: number;
  /**
   * the sender's clock
   */
  now: number;
  /**
   * what a user should know, in a sentence or two
   */
  note: string | null;
  foreign: string | null;
  accept: string[];
  /**
   * sentences about the request, and about what cannot be trusted
   */
  warnings: string[];
  /**
   * the sentence that says why a rule has stopped the scan
   */
  stopped_by: string | null;
  channel: ChannelName;
  /**
   * when the newest reading was made
   */
  reported: number | null;
  folder: string;
  /**
   * the folder as the Jupyter server of a notebook sees it; None if not known
   */
  browse: string | null;
  /**
   * the folder that holds all scans
   */
  home: string;
}
/**
 * The metric that ranks variants, and how its series becomes one number.
 */
export interface ObjectiveInfo {
  metric: string;
  direction: "maximize" | "minimize";
  reduction: "last" | "max" | "min";
}
/**
 * A folder of the home that cannot be shown as a scan, and why, in a sentence.
 */
export interface LeftOutScan {
  folder: string;
  why: string;
}
/**
 * How many jobs the runner has announced to the collector with this request.
 */
export interface Announced {
  jobs: number;
}
/**
 * One attempt at a variant.
 */
export interface Attempt {
  /**
   * from 1
   */
  attempt: number;
  state: State;
  /**
   * why it failed, in one word
   */
  reason: string | null;
  /**
   * why it waits or failed, in one sentence
   */
  message: string | null;
  /**
   * the host of a local job, else the queue
   */
  where: string | null;
  gpu: string | null;
  /**
   * when the job was handed to the backend
   */
  submitted: number | null;
  started: number | null;
  ended: number | null;
  node: string | null;
  /**
   * the backend's id of the job
   */
  engine_id: string | null;
  /**
   * the batch system's own page about the job
   */
  link: string | null;
}
/**
 * A page no longer needs the rows of a scan.
 */
export interface Close {
  type: "close";
  scan: string;
}
/**
 * A command to a scan. Without `variants` it is for all of them. Only extend has `trials` (points in addition), `add` (lines with new values, as in a cell: `lr = [1e-5, 3e-5]`), `repeats` (of every point, in all) and `points` (own points, each with values by parameter). Only replay has `accept`: the options of a foreign scan that the user has seen, as its head lists them.
 */
export interface Command {
  variants?: string[] | null;
  trials?: number | null;
  add?: string[];
  repeats?: number | null;
  points?: {
    [k: string]: unknown;
  }[];
  accept?: string[];
  action: Action;
}
/**
 * The executed notebook of a job as a model of Jupyter's contents API, without marks of trust. Times are ISO 8601 in UTC, `size` is in bytes.
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
 * One metric of one job, thinned.
 */
export interface Curve {
  /**
   * epochs; where the notebook named none, values are counted from 1
   */
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
 * The GPUs of one kind in a queue. Null means not known, here and below. A node has `count` of them, the queue has `total`, and `free` of these are free. `vram_mb` is the memory of one GPU in MB.
 */
export interface GpuKindInfo {
  vendor: string | null;
  model: string | null;
  vram_mb: number | null;
  cuda: string | null;
  count: number | null;
  total: number | null;
  free: number | null;
}
/**
 * The folder on the server that scans are kept in. In a request, an empty text means the folder that was used when the server started.
 */
export interface Home {
  home: string;
}
/**
 * The folder of scans, and the mark by which a kernel tells whether it has the same one. The mark is empty if no kernel has left one.
 */
export interface HomeSeen {
  home: string;
  mark: string;
}
/**
 * Everything that the details of a variant show beside its row.
 */
export interface JobDetails {
  type: "job";
  variant: string;
  /**
   * oldest first
   */
  attempts: Attempt[];
  /**
   * the notebook's own values, where they are plain
   */
  defaults: {
    [k: string]: unknown;
  };
  limits: JobLimits;
  /**
   * whether an executed notebook is there to be opened
   */
  has_notebook: boolean;
}
/**
 * What one job asked for: GPUs, memory and walltime.
 */
export interface JobLimits {
  gpus: number;
  memory_mb: number | null;
  walltime_s: number | null;
}
/**
 * The curves of one attempt.
 */
export interface JobMetrics {
  type: "metrics";
  variant: string;
  attempt: number;
  curves: {
    [k: string]: Curve;
  };
  usage: UsageCurves;
}
/**
 * What one job used over time, thinned; all lists have the same length.
 */
export interface UsageCurves {
  times: number[];
  /**
   * cores
   */
  cpu: (number | null)[];
  memory_mb: (number | null)[];
  /**
   * per cent
   */
  gpu: (number | null)[];
  gpu_memory_mb: (number | null)[];
}
/**
 * All folders that cannot be shown as scans, after one was added or mended.
 */
export interface LeftOutNow {
  type: "left_out";
  left_out: LeftOutScan[];
}
/**
 * A part of the log of a job.
 */
export interface LogText {
  type: "log";
  /**
   * the variant, or the key of the job, as the client named it
   */
  variant: string;
  text: string;
  /**
   * first byte of the part
   */
  start: number;
  /**
   * byte after the part
   */
  end: number;
  /**
   * bytes of the whole log
   */
  size: number;
}
/**
 * One metric of a row.
 */
export interface Metric {
  last: Num;
  /**
   * of the finite values
   */
  min: Num | null;
  /**
   * of the finite values
   */
  max: Num | null;
  /**
   * how many values there were
   */
  n: number;
  /**
   * at most 48 of the values in order, for a sparkline
   */
  trail: Num[];
}
/**
 * The scan that the page wants to open does not exist, or the page has too many open.
 */
export interface Missing {
  type: "missing";
  scan: string;
}
/**
 * One sentence for the user.
 */
export interface Notice {
  type: "said";
  text: string;
}
/**
 * A scan that is new or has changed. The page has not opened this scan.
 */
export interface OneScan {
  type: "scan";
  scan: ScanInfo;
}
/**
 * A page asks for all rows of a scan, or for those that changed after revision `since`.
 */
export interface Open {
  since?: number | null;
  type: "open";
  scan: string;
}
/**
 * A name that `--on` takes; `options` are the words of a command for which it stands.
 */
export interface ProfileInfo {
  name: string;
  backend: string;
  title: string;
  options: string;
  collector: string;
  source: string;
}
/**
 * A queue that jobs can be sent to; `free` of its `total` GPUs are free. `gpus_text` and `limits_text` say in words what `gpus` and `limits` say.
 */
export interface QueueInfo {
  name: string;
  backend: string;
  title: string;
  gpus: GpuKindInfo[] | null;
  gpus_text: string;
  total: number | null;
  free: number | null;
  limits: QueueLimitsInfo;
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
 * The most that one job of a queue gets: seconds, MB, cores, GPUs.
 */
export interface QueueLimitsInfo {
  walltime_s: number | null;
  memory_mb: number | null;
  cpus: number | null;
  gpus: number | null;
}
/**
 * All queues as of the Unix time `asked`, and the profiles. Problems are sentences on what is not known.
 */
export interface Queues {
  asked: number;
  queues: QueueInfo[];
  profiles: ProfileInfo[];
  problems: string[];
}
/**
 * Why the collector refuses a request; a job may go on from the byte `next` of its file.
 */
export interface Refusal {
  next?: number;
  message: string;
}
/**
 * One variant, with what is known of its latest attempt.
 */
export interface Row {
  peak_mb?: number | null;
  usage?: Usage;
  /**
   * when the newest reading was made, where metrics are sent
   */
  reported?: number | null;
  /**
   * the batch system's own page about the job
   */
  link?: string;
  /**
   * of the objectives, where there are several
   */
  values?: (Num | null)[];
  id: string;
  /**
   * from 0
   */
  point: number;
  /**
   * from 0
   */
  repeat: number;
  params: {
    [k: string]: unknown;
  };
  state: State;
  /**
   * why it failed, in one word
   */
  reason: string | null;
  /**
   * why it waits or failed, in one sentence
   */
  message: string | null;
  /**
   * that failed, as In [n] counts in the user's notebook
   */
  cell: number | null;
  attempts: number;
  step: number | null;
  /**
   * how many steps there will be
   */
  steps: number | null;
  metrics: {
    [k: string]: Metric;
  };
  /**
   * of the objective; null where there are several
   */
  value: Num | null;
  /**
   * the host of a local job, else the queue
   */
  where: string | null;
  gpu: string | null;
  started: number | null;
  ended: number | null;
  /**
   * path of the executed notebook in the scan folder
   */
  notebook: string | null;
}
/**
 * What a job used at its last heartbeat.
 */
export interface Usage {
  /**
   * cores
   */
  cpu?: number;
  memory_mb?: number;
  /**
   * per cent
   */
  gpu?: number;
  gpu_memory_mb?: number;
}
/**
 * One page of the rows of a scan at revision `rev`; `total` counts the rows that fit.
 */
export interface RowPage {
  total: number;
  rev: number;
  rows: Row[];
}
/**
 * The end of the log of a scan's runner.
 */
export interface RunnerLog {
  text: string;
}
/**
 * What a notebook keeps of a scan in the output of a cell, by MIME type.
 */
export interface SavedOutput {
  data: {
    [k: string]: unknown;
  };
}
/**
 * All scans, newest first, and at most 100 folders that cannot be shown.
 */
export interface ScanList {
  scans: ScanInfo[];
  left_out: LeftOutScan[];
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
 * The collector has all bytes of the job's metrics file before the offset `next`.
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
