/** Sentences about stopping, asking, failing and losing the connection. */
import type { Action, Link, Row, ScanInfo } from "../../wire";
import type { Question } from "../ui/questionbar";
import { clip, full, plural } from "../ui/text";
import { frontOf, objectivesText } from "./ranking";
import { gpuHours } from "./values";

/** Of so many reasons the summary of failures gives the names; all others are only counted. */
const NAMED_REASONS = 3;

/** What stopping one job keeps of its work. */
function epochsKept(row: Row): string {
  const step = row.step ?? 0;
  if (step < 1) return "No epoch has ended yet.";
  if (step === 1) return "Epoch 1 is kept, not continued.";
  return `Epochs 1-${step} are kept, not continued.`;
}

/** The GPU time of the running jobs so far; null where one has no GPU or no known start. */
function timeUsed(running: readonly Row[], now: number | null): string | null {
  if (now === null || running.some((row) => row.gpu === null || row.started === null)) return null;
  const seconds = running.reduce((sum, row) => sum + Math.max(0, now - (row.started ?? now)), 0);
  return `${gpuHours(seconds)} of unfinished epochs are kept, not continued.`;
}

function stopScanText(count: number, used: string | null): string {
  const jobs = count === 1 ? "1 running job ends" : `${count} running jobs end`;
  if (used) return `Stop the scan? ${jobs}. ${used}`;
  const whose = count === 1 ? "its" : "their";
  return `Stop the scan? ${jobs}; ${whose} epochs so far are kept, not continued.`;
}

function stopJobsText(running: readonly Row[], first: Row, used: string | null): string {
  if (running.length === 1) return `Stop ${clip(first.id, 40)}? ${epochsKept(first)}`;
  const kept = used ?? "Their epochs so far are kept, not continued.";
  return `Stop ${running.length} running jobs? ${kept}`;
}

/**
 * The question before jobs are stopped; null where none of them runs, so that no work is lost.
 *
 * `all` is how many jobs run in the scan if the whole scan is to be stopped, else null. `now` is
 * the time by the clock of the sender, in Unix seconds.
 */
export function stopQuestion(
  rows: readonly Row[],
  all: number | null,
  now: number | null = null,
): Question | null {
  const running = rows.filter((row) => row.state === "running");
  const count = all ?? running.length;
  if (count === 0) return null;
  // While rows are still coming, the time of those that are there would be too small.
  const used = count === running.length ? timeUsed(running, now) : null;
  const [first] = running;
  const wholeScan = all !== null || !first;
  return {
    text: wholeScan ? stopScanText(count, used) : stopJobsText(running, first, used),
    yes: `Stop ${plural(count, "job")}`,
    no: "Keep running",
  };
}

/** The options of somebody else's scan that a replay has to accept. An older head has none. */
export function toAccept(scan: ScanInfo | null): string[] {
  const { accept } = (scan ?? {}) as { accept?: unknown };
  if (!Array.isArray(accept)) return [];
  return accept.filter((text): text is string => typeof text === "string");
}

/**
 * The question before a replay, since a new scan takes as much time as the first.
 *
 * `accept` are the options of somebody else's scan, all of which are shown.
 */
export function replayQuestion(variants: number, accept: readonly string[] = []): Question {
  const text = `Run ${plural(variants, "variant")} again, as a scan of its own?`;
  if (accept.length === 0) return { text, yes: "Replay", no: "Cancel" };
  const options = accept.map((option) => full(option)).join(" ");
  return {
    text: `${text} It is not your scan, and would run with ${options}`,
    yes: "Accept and replay",
    no: "Cancel",
  };
}

function objectOf(ids: readonly string[] | null): string {
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

/** Says that a command was sent and not answered yet: a kernel that runs a cell answers later. */
export function askedSentence(
  action: Action,
  ids: readonly string[] | null,
  peer: Link["peer"] = "kernel",
): string {
  const again = action === "retry" ? " again" : "";
  const asked = `Asked to ${VERBS[action]} ${objectOf(ids)}${again}`;
  return peer === "kernel" ? `${asked}; waits until the running cell ends.` : `${asked}.`;
}

/** Says that the connection broke. */
export const lostSentence = (peer: Link["peer"]): string => `Connection to the ${peer} lost.`;

/** Says that the server answers, but does not know this page, as after a new login. */
export const RELOAD = "The server was started again and does not know this page: reload the page.";

/** Says that a command was not sent, since there is no connection. */
export const notSentSentence = (peer: Link["peer"]): string =>
  `Not connected to the ${peer}; nothing was sent.`;

/** `Trying again in 8 s.`; empty where nobody tries. Times are Unix seconds. */
export function retrySentence(retryAt: number | null, now: number): string {
  if (retryAt === null) return "";
  const seconds = Math.ceil(retryAt - now);
  return seconds > 0 ? `Trying again in ${seconds} s.` : "Trying again.";
}

/** So many warnings of a scan are shown, and so many characters of each. */
const MOST_WARNINGS = 5;
const WARNING_LENGTH = 400;

/** What may not be meant in a scan, in sentences. A head of an older version has none. */
export function warningsOf(scan: ScanInfo): string[] {
  const { warnings } = scan as { warnings?: unknown };
  if (!Array.isArray(warnings)) return [];
  const texts = warnings.filter((text): text is string => typeof text === "string");
  const more = texts.length - MOST_WARNINGS;
  const shown = texts.slice(0, MOST_WARNINGS).map((text) => clip(text, WARNING_LENGTH));
  return more > 0 ? [...shown, `${plural(more, "more warning")}.`] : shown;
}

/** The words of the mark of a variant on the Pareto front. */
export const ON_FRONT = "on the Pareto front";
/** What that means, for a tooltip. */
export const FRONT_MEANS = `${ON_FRONT}: nothing is as good in all objectives and better in one`;

/** Says by what the variants are ranked now, for a screen reader. */
export function rankedSentence(scan: ScanInfo): string {
  const by = clip(objectivesText(scan), 200) || "id";
  const front = frontOf(scan).size;
  if (front > 0) return `Ranked by ${by}; ${plural(front, "variant")} on the Pareto front`;
  return `Ranked by ${by}${scan.best ? `; the best is ${clip(scan.best, 40)}` : ""}`;
}

/** Says that the server does not have the scan of an output. */
export const MISSING_SCAN = "This scan is not on this server; shown as it was saved.";

const REASONS: Record<string, string> = {
  timeout: "time limit",
  oom: "out of memory",
  preempted: "ended from outside",
  node: "trouble on the machine",
  image: "image or kernel",
  setup: "setup of the job",
  notebook: "error in the notebook",
  user: "stopped",
  submit: "not sent",
};

/** The reason of a failure in a few words. */
export function reasonText(reason: string | null): string {
  if (!reason) return "no reason known";
  const known = Object.hasOwn(REASONS, reason) ? REASONS[reason] : undefined;
  return known ?? clip(reason.replaceAll("_", " "), 40);
}

/** All failures of a scan, counted. */
export interface Failures {
  /** `2 out of memory, 1 time limit`. */
  summary: string;
  failed: number;
  lost: number;
  /** The variants that failed or were lost. */
  ids: string[];
}

function summaryOf(countByReason: ReadonlyMap<string, number>): string {
  const sorted = [...countByReason].sort((a, b) => b[1] - a[1]);
  const named = sorted.slice(0, NAMED_REASONS).map(([reason, count]) => `${count} ${reason}`);
  const others = sorted.slice(NAMED_REASONS).reduce((sum, [, count]) => sum + count, 0);
  return named.join(", ") + (others ? `, ${others} other` : "");
}

/** Counts failures by reason, the most frequent first; at most three reasons are named. */
export function failures(rows: Iterable<Row>): Failures {
  const countByReason = new Map<string, number>();
  const found: Failures = { summary: "", failed: 0, lost: 0, ids: [] };
  for (const row of rows) {
    if (row.state !== "failed" && row.state !== "lost") continue;
    found[row.state] += 1;
    found.ids.push(row.id);
    if (row.state === "lost") continue;
    const reason = reasonText(row.reason);
    countByReason.set(reason, (countByReason.get(reason) ?? 0) + 1);
  }
  found.summary = summaryOf(countByReason);
  return found;
}

function failedSentence(failed: readonly Row[]): string {
  if (failed.length > 1) return `${failed.length} jobs failed`;
  const [row] = failed;
  if (!row) return "";
  const why = clip(row.message ?? reasonText(row.reason)).replace(/\.$/, "");
  return `${row.id} failed: ${why}`;
}

/** What a screen reader says after a change: jobs that failed just now, and that a scan ended. */
export function announcement(failed: readonly Row[], endedNow: boolean, scan: ScanInfo): string {
  const ended = endedNow ? `Scan ${clip(scan.name, 60)} is ${scan.state}` : "";
  return [failedSentence(failed), ended].filter(Boolean).join(". ");
}
