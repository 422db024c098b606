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

export interface Snapshot {
  type: "snapshot";
  rev: number;
  scan: ScanInfo;
  rows: Row[];
}

/** Changed rows only, each of them whole. `rev` grows by one with each message. */
export interface Upsert {
  type: "upsert";
  rev: number;
  scan: ScanInfo;
  rows: Row[];
}

export interface Said {
  type: "said";
  text: string;
}

export interface LogText {
  type: "log";
  variant: string;
  text: string;
}

export type Incoming = Snapshot | Upsert | Said | LogText;
export type LinkEvent = Incoming | { type: "closed" } | { type: "opened" };

export type Action = "stop" | "retry" | "pause" | "resume";

export type Outgoing =
  | { type: "hello" }
  /** `null` means the whole scan. */
  | { type: "command"; action: Action; variants: string[] | null }
  | { type: "log"; variant: string };

/** A way to the sender: a widget's comm today, a server's socket later. */
export interface Link {
  send(message: Outgoing): void;
  /** Returns the way to unsubscribe. */
  subscribe(fn: (event: LinkEvent) => void): () => void;
}

/** A message as it came, or null if it is none of ours. */
export function asIncoming(data: unknown): Incoming | null {
  const type = (data as { type?: unknown } | null)?.type;
  const known = type === "snapshot" || type === "upsert" || type === "said" || type === "log";
  return known ? (data as Incoming) : null;
}
