/**
 * What travels between Python and the browser. All of it is untrusted.
 *
 * The types of what Python sends are made from the types that Python has (generated.ts). All other
 * files import them from here, together with what only this side knows.
 */
import type {
  Action,
  JobDetails,
  LogText,
  JobMetrics,
  Notice,
  Snapshot,
  State,
  Upsert,
} from "./generated";

export type {
  Action,
  Attempt,
  Curve,
  JobDetails,
  LeftOutScan,
  LogText,
  Metric,
  JobMetrics,
  Num,
  ObjectiveInfo,
  ProfileInfo,
  QueueInfo,
  Queues,
  Row,
  Notice,
  ScanInfo,
  ScanState,
  Snapshot,
  State,
  Upsert,
  UsageCurves,
} from "./generated";

/** All states of jobs, in the order in which bars show them. */
export const STATES = [
  "done",
  "running",
  "queued",
  "failed",
  "lost",
  "cancelled",
  "new",
] as const satisfies readonly State[];

/** What is told about a scan. */
export type Incoming = Snapshot | Upsert | Notice | LogText | JobMetrics | JobDetails;
/** A view asked for a log, for curves or for a job, and did not get it; `text` says why. */
export interface Refused {
  type: "refused";
  what: "log" | "metrics" | "job";
  variant: string;
  text: string;
}

/** What a link tells of its scan; `missing` says that the sender knows no such scan. */
export type LinkEvent =
  | Incoming
  | { type: "closed"; retry_s?: number; refused?: boolean }
  | { type: "opened" }
  | { type: "missing" }
  | Refused;

/** What a link is asked for. */
export type Outgoing =
  /** Asks for the rows that changed after the revision `since`; without it, for all rows. */
  | { type: "hello"; since?: number }
  /**
   * A command; null stands for the whole scan. `trials` belongs to `extend`, `accept` to `replay`.
   */
  | {
      type: "command";
      action: Action;
      variants: string[] | null;
      trials?: number;
      accept?: string[];
    }
  /** Asks for a log from byte `start` on; without it, for the end of the log. */
  | { type: "log"; variant: string; start?: number }
  | { type: "metrics"; variant: string }
  | { type: "job"; variant: string };

/** The way to the sender of a scan: the comm of a widget, or the server. */
export interface Link {
  /** Who answers: a sentence about a missing answer has to name it. */
  readonly peer: "kernel" | "server";
  send(message: Outgoing): void;
  /** Calls `listener` with each event; returns a function that ends this. */
  subscribe(listener: (event: LinkEvent) => void): () => void;
}

/** The types of messages that are known. */
const INCOMING_TYPES = new Set(["snapshot", "upsert", "said", "log", "metrics", "job"]);

/** A message as it came, or null if its type is not known. */
export function asIncoming(data: unknown): Incoming | null {
  const type = (data as { type?: unknown } | null)?.type;
  return INCOMING_TYPES.has(type as string) ? (data as Incoming) : null;
}
