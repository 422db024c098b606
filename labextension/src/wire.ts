/**
 * What travels between Python and the browser. All of it is untrusted text. The types of what Python sends are made from
 * its own; here is what only this side knows.
 */
import type { Action, Job, LogText, Metrics, Said, Snapshot, State, Upsert } from "./generated";

export type {
  Action,
  Attempt,
  Curve,
  Job,
  LogText,
  Metric,
  Metrics,
  Num,
  Objective,
  Queue,
  Queues,
  Row,
  Said,
  ScanInfo,
  ScanState,
  Snapshot,
  State,
  Upsert,
  Usage,
} from "./generated";

/** In the order of the bar. */
export const STATES = [
  "done",
  "running",
  "queued",
  "failed",
  "lost",
  "cancelled",
  "new",
] as const satisfies readonly State[];

export type Incoming = Snapshot | Upsert | Said | LogText | Metrics | Job;
/** What a view asked for by itself, a log or curves, and did not get. */
export interface Refused {
  type: "refused";
  what: "log" | "metrics" | "job";
  variant: string;
  text: string;
}

/** `missing`: the sender knows no such scan. */
export type LinkEvent =
  | Incoming
  | { type: "closed"; retry_s?: number }
  | { type: "opened" }
  | { type: "missing" }
  | Refused;

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
