/** What travels between Python and the browser. All of it is untrusted text. */

export type Num = number | "NaN" | "Infinity" | "-Infinity";

/** In the order of the bar. */
export const STATES = ["done", "running", "queued", "failed", "lost", "cancelled", "new"] as const;
export type State = (typeof STATES)[number];
export type ScanState = "running" | "paused" | "done" | "stopped" | "orphaned";

export interface Metric {
  last: Num;
  min: Num | null;
  max: Num | null;
  n: number;
  /** At most 48 values in order, for the sparkline. */
  trail: Num[];
}

export interface Row {
  id: string;
  point: number;
  repeat: number;
  params: Record<string, unknown>;
  state: State;
  reason: string | null;
  /** One plain sentence: why it failed, waits or stopped. */
  message: string | null;
  /** The failed cell, by execution count. */
  cell: number | null;
  attempts: number;
  step: number | null;
  steps: number | null;
  metrics: Record<string, Metric>;
  /** The objective under its reduction. */
  value: Num | null;
  where: string | null;
  gpu: string | null;
  /** Unix seconds. */
  started: number | null;
  ended: number | null;
  /** Relative to the scan's folder. */
  notebook: string | null;
  /** Most memory seen, MB. */
  peak_mb?: number | null;
  /** Of the last heartbeat: cores, MB, %. */
  usage?: { cpu?: number; memory_mb?: number; gpu?: number; gpu_memory_mb?: number };
}

export interface Objective {
  metric: string;
  direction: "maximize" | "minimize";
  reduction: "last" | "max" | "min";
}

export interface ScanInfo {
  id: string;
  name: string;
  notebook: string;
  state: ScanState;
  backend: string;
  objective: Objective | null;
  /** In the order of the cell. */
  params: string[];
  /** The ones to show; fixed ones are hidden by default. */
  varied: string[];
  /** Name of the repeats parameter. */
  repeats: string | null;
  /** Variants, when known. */
  total: number | null;
  counts: Record<State, number>;
  best: string | null;
  best_value: Num | null;
  created: number;
  ended: number | null;
  left_s: number | null;
  gpu_s: number;
  /** The sender's clock. */
  now: number;
  folder: string;
  /** Absolute folder through which the Jupyter server can see the scan's folder. */
  browse: string | null;
  home: string;
  /** A sentence for the whole scan. */
  note: string | null;
}

/** `rev` is the fold's: how many events of the journal were applied. */
export interface Snapshot {
  type: "snapshot";
  rev: number;
  scan: ScanInfo;
  rows: Row[];
}

/** Rows that changed after revision `from`, each of them whole. */
export interface Upsert {
  type: "upsert";
  from: number;
  rev: number;
  scan: ScanInfo;
  rows: Row[];
}

export interface Said {
  type: "said";
  text: string;
}

/** A part of a log: the bytes from `start` to `end` of `size`. */
export interface LogText {
  type: "log";
  variant: string;
  text: string;
  start: number;
  end: number;
  size: number;
}

/** One metric of one job, thinned to what a plot can show; lists of one length. */
export interface Curve {
  /** Epochs; where the notebook named none, values are counted from 1. */
  steps: number[];
  values: Num[];
}

export interface Usage {
  /** Unix seconds. */
  times: number[];
  cpu: (number | null)[];
  memory_mb: (number | null)[];
  gpu: (number | null)[];
  gpu_memory_mb: (number | null)[];
}

export interface Metrics {
  type: "metrics";
  variant: string;
  attempt: number;
  curves: Record<string, Curve>;
  usage: Usage;
}

export interface Attempt {
  attempt: number;
  state: State;
  reason: string | null;
  message: string | null;
  where: string | null;
  gpu: string | null;
  /** Unix seconds; when it was handed to the engine. */
  submitted: number | null;
  started: number | null;
  ended: number | null;
  node: string | null;
  engine_id: string | null;
}

/** What the view of one variant shows beside its row. */
export interface Job {
  type: "job";
  variant: string;
  attempts: Attempt[];
  /** The notebook's own values, where they are plain. */
  defaults: Record<string, unknown>;
  /** What one job was granted. */
  limits: { gpus: number; memory_mb: number | null; walltime_s: number | null };
  /** Whether there is a notebook to open, finished or partial. */
  has_notebook: boolean;
}

export type Incoming = Snapshot | Upsert | Said | LogText | Metrics | Job;
/** `missing`: the sender knows no such scan. */
export type LinkEvent =
  Incoming | { type: "closed"; retry_s?: number } | { type: "opened" } | { type: "missing" };

export type Action = "stop" | "retry" | "pause" | "resume" | "extend";

export type Outgoing =
  /** `since`: the revision that is known. */
  | { type: "hello"; since?: number }
  /** `null` means the whole scan; `trials` belongs to extend. */
  | { type: "command"; action: Action; variants: string[] | null; trials?: number }
  /** From byte `start`; without it, the end of the log. */
  | { type: "log"; variant: string; start?: number }
  | { type: "metrics"; variant: string }
  | { type: "job"; variant: string };

/** A way to the sender: a widget's comm, or the server. */
export interface Link {
  /** Whom to name when there is no answer. */
  readonly peer: "kernel" | "server";
  send(message: Outgoing): void;
  /** Returns the way to unsubscribe. */
  subscribe(fn: (event: LinkEvent) => void): () => void;
}

const KINDS = new Set(["snapshot", "upsert", "said", "log", "metrics", "job"]);

/** A message as it came, or null if it is none of ours. */
export function asIncoming(data: unknown): Incoming | null {
  const type = (data as { type?: unknown } | null)?.type;
  return KINDS.has(type as string) ? (data as Incoming) : null;
}
