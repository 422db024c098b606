/** Sentences about stopping, asking and failing. Pure. */
import type { Action, Link, Row, ScanInfo } from "../../wire";
import type { Question } from "../ui/question";
import { clip, plural } from "../ui/text";
import { gpuHours } from "./values";

function kept(row: Row): string {
  const step = row.step ?? 0;
  if (step < 1) return "No epoch has ended yet.";
  return step === 1
    ? "Epoch 1 is kept, not continued."
    : `Epochs 1-${step} are kept, not continued.`;
}

/** What the running jobs have used so far; known where each has a GPU. */
function used(running: readonly Row[], now: number | null): string | null {
  if (now === null || running.some((row) => row.gpu === null || row.started === null)) return null;
  const seconds = running.reduce((sum, row) => sum + Math.max(0, now - (row.started ?? now)), 0);
  return `${gpuHours(seconds)} of unfinished epochs are kept, not continued.`;
}

/** Asked only where work is lost; null means nothing is. `all`: how many run, if the whole scan is to be stopped. */
export function stopQuestion(
  rows: readonly Row[],
  all: number | null,
  now: number | null = null,
): Question | null {
  const running = rows.filter((row) => row.state === "running");
  const count = all ?? running.length;
  if (count === 0) return null;
  const yes = `Stop ${plural(count, "job")}`;
  const no = "Keep running";
  const lost = count === running.length ? used(running, now) : null;
  const [first] = running;
  if (all !== null || !first) return { text: `Stop the scan? ${ends(count, lost)}`, yes, no };
  if (running.length === 1) return { text: `Stop ${clip(first.id, 40)}? ${kept(first)}`, yes, no };
  return {
    text: `Stop ${running.length} running jobs? ${lost ?? "Their epochs so far are kept, not continued."}`,
    yes,
    no,
  };
}

function ends(count: number, lost: string | null): string {
  const jobs = count === 1 ? "1 running job ends" : `${count} running jobs end`;
  if (lost) return `${jobs}. ${lost}`;
  return `${jobs}; ${count === 1 ? "its" : "their"} epochs so far are kept, not continued.`;
}

function whom(ids: readonly string[] | null): string {
  if (ids === null) return "the scan";
  return ids.length === 1 ? clip(ids[0] ?? "", 40) : plural(ids.length, "variant");
}

const VERBS: Record<Action, string> = {
  stop: "stop",
  pause: "pause",
  resume: "resume",
  retry: "run",
  extend: "extend",
  replay: "replay",
};

/** A replay is a scan of its own: it takes as much time again. */
export const replayQuestion = (variants: number): Question => ({
  text: `Run ${plural(variants, "variant")} again, as a scan of its own?`,
  yes: "Replay",
  no: "Cancel",
});

/** Shown when no answer came within a second: a busy kernel answers later. */
export function askedSentence(
  action: Action,
  ids: readonly string[] | null,
  peer: Link["peer"] = "kernel",
): string {
  const again = action === "retry" ? " again" : "";
  const asked = `Asked to ${VERBS[action]} ${whom(ids)}${again}`;
  return peer === "kernel" ? `${asked}; waits until the running cell ends.` : `${asked}.`;
}

export const lostSentence = (peer: Link["peer"]): string => `Connection to the ${peer} lost.`;

export const notSentSentence = (peer: Link["peer"]): string =>
  `Not connected to the ${peer}; nothing was sent.`;

/** `Trying again in 8 s.`; nothing where nobody tries. */
export function retrySentence(at: number | null, now: number): string {
  if (at === null) return "";
  const left = Math.ceil(at - now);
  return left > 0 ? `Trying again in ${left} s.` : "Trying again.";
}

export const MISSING_SCAN = "This scan is not on this server; shown as it was saved.";

const REASONS: Record<string, string> = {
  timeout: "time limit",
  oom: "out of memory",
  preempted: "ended from outside",
  node: "trouble on the machine",
  image: "image or kernel",
  notebook: "error in the notebook",
  user: "stopped",
  submit: "not sent",
};

export function reasonText(reason: string | null): string {
  if (!reason) return "no reason known";
  const known = Object.hasOwn(REASONS, reason) ? REASONS[reason] : undefined;
  return known ?? clip(reason.replaceAll("_", " "), 40);
}

export interface Failures {
  /** `2 out of memory, 1 time limit`. */
  summary: string;
  failed: number;
  lost: number;
  ids: string[];
}

/** Failures by reason, the most frequent first; at most three are named. */
export function failures(rows: Iterable<Row>): Failures {
  const groups = new Map<string, number>();
  const found: Failures = { summary: "", failed: 0, lost: 0, ids: [] };
  for (const row of rows) {
    if (row.state !== "failed" && row.state !== "lost") continue;
    found[row.state] += 1;
    found.ids.push(row.id);
    if (row.state === "failed")
      groups.set(reasonText(row.reason), (groups.get(reasonText(row.reason)) ?? 0) + 1);
  }
  const sorted = [...groups].sort((a, b) => b[1] - a[1]);
  const rest = sorted.slice(3).reduce((sum, [, count]) => sum + count, 0);
  found.summary =
    sorted
      .slice(0, 3)
      .map(([words, count]) => `${count} ${words}`)
      .join(", ") + (rest ? `, ${rest} other` : "");
  return found;
}

/** For the polite live region: what failed just now, and that a scan has ended. */
export function announcement(failed: readonly Row[], endedNow: boolean, scan: ScanInfo): string {
  const [first] = failed;
  const why = first?.message ?? (first ? reasonText(first.reason) : "");
  const one = first ? `${first.id} failed: ${clip(why).replace(/\.$/, "")}` : "";
  const parts = [
    failed.length > 1 ? `${failed.length} jobs failed` : one,
    endedNow ? `Scan ${clip(scan.name, 60)} is ${scan.state}` : "",
  ];
  return parts.filter(Boolean).join(". ");
}
