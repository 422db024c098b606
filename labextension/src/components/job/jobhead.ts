/** The head of the view of a job: its state, value and rank, epoch, time and place. */
import type { JobDetails, Row, ScanInfo } from "../../wire";
import { frontOf, hasFront, objectivesOf, objectivesText } from "../scan/ranking";
import { comparable, elapsed, objectiveValue } from "../scan/rows";
import { reasonText } from "../scan/sentences";
import { gpuHours, toNumber } from "../scan/values";
import { button, h } from "../ui/dom";
import { t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { finite, formatAlone, MISSING } from "../ui/numbers";
import { clip, full } from "../ui/text";
import { duration, roughly } from "../ui/times";

/** What the head shows. */
export interface ShownJob {
  scan: ScanInfo;
  row: Row;
  /** What the server said beside the row; null until it has. */
  job: JobDetails | null;
  /** The time by the clock of the sender, in Unix seconds. */
  now: number;
  /** The place among all variants; 1 is the best. */
  rank: number | null;
}

const ENDINGS: Record<number, string> = { 1: "st", 2: "nd", 3: "rd" };

/** `1st`, `2nd`, `13th`. */
export function ordinal(place: number): string {
  // 11th, 12th and 13th, though 21st, 22nd and 23rd.
  const teen = place % 100 > 10 && place % 100 < 14;
  const ending = teen ? undefined : ENDINGS[place % 10];
  return `${place}${ending ?? "th"}`;
}

/** `rej_light, 2nd; best is 171.3, v0038`. */
export function valueSentence({ scan, row, rank }: ShownJob): string {
  const { objective, best, best_value: bestValue } = scan;
  const metric = clip(objective?.metric ?? "", 40);
  if (row.id === best) return [metric, t("best")].join(", ");
  const place = rank === null ? "" : ordinal(rank);
  const value = toNumber(bestValue);
  const known = finite(value) && best;
  const other = known ? t("best is %1, %2", formatAlone(value), clip(best, 40)) : "";
  return [[metric, place].filter(Boolean).join(", "), other].filter(Boolean).join("; ");
}

/** `about 12 min left`, by the epochs so far; empty before the first has ended. */
export function jobTimeLeft(row: Row, now: number): string {
  const { state, step, steps, started } = row;
  if (state !== "running" || started === null) return "";
  if (!step || !steps || step >= steps) return "";
  const secondsPerEpoch = (now - started) / step;
  return t("about %1 left", roughly(secondsPerEpoch * (steps - step)));
}

/** The GPU seconds that all attempts of a job have used. */
export function usedSeconds(job: JobDetails, now: number): number {
  return job.attempts.reduce((sum, { started, ended }) => {
    if (started === null) return sum;
    return sum + Math.max(0, (ended ?? now) - started) * job.limits.gpus;
  }, 0);
}

const quiet = (text: string): HTMLElement | null =>
  text ? h("span", { class: "gg-q" }, text) : null;

/** One figure: a strong text, and a quiet one that explains it. */
function figure(strong: string | HTMLElement, more: string): HTMLElement | null {
  return strong ? h("div", {}, strong, more ? " " : null, quiet(more)) : null;
}

/** The values of several objectives, and whether the variant is on the Pareto front. */
function frontFigure({ scan, row }: ShownJob): HTMLElement | null {
  const values = objectivesOf(scan).map((_, i) => objectiveValue(row, i));
  if (values.every((value) => value === null)) return null;
  const nodes = objectivesOf(scan).flatMap(({ metric }, i) => {
    const value = values[i] ?? null;
    const text = value === null ? MISSING : formatAlone(value);
    return [h("b", { class: "gg-c" }, text), quiet(` ${clip(metric, 40)}, `)];
  });
  const { size } = frontOf(scan);
  const on = frontOf(scan).has(row.id);
  const place = on ? t("on the Pareto front of %1", size) : t("not on the Pareto front");
  return h("div", { title: objectivesText(scan) }, ...nodes, quiet(place));
}

function valueFigure(shown: ShownJob): HTMLElement | null {
  const { row } = shown;
  if (hasFront(shown.scan)) return frontFigure(shown);
  // The value of a job that failed is not compared, but it is still shown here.
  const value = comparable(row) ?? toNumber(row.value);
  if (value === null) return null;
  return figure(h("b", { class: "gg-c" }, formatAlone(value)), valueSentence(shown));
}

function epochFigure({ row }: ShownJob): HTMLElement | null {
  if (row.step === null) return null;
  return figure(t("epoch %1", row.step), row.steps ? t("of %1", row.steps) : "");
}

function timeFigure({ row, now }: ShownJob): HTMLElement | null {
  const time = elapsed(row, now);
  return time === null ? null : figure(duration(time), jobTimeLeft(row, now));
}

/** Site and GPU, and the node quietly beside them; the node alone where they are not known. */
function placeFigure({ row, job }: ShownJob): HTMLElement | null {
  const lastNode = job?.attempts[job.attempts.length - 1]?.node ?? "";
  const node = clip(lastNode, 40);
  const places = [row.where, row.gpu].filter(Boolean).map((name) => clip(name ?? "", 40));
  if (places.length === 0) return figure(node, "");
  return figure(places.join("\u2002"), node ? t("node %1", node) : "");
}

function gpuFigure({ job, now }: ShownJob): HTMLElement | null {
  const seconds = job ? usedSeconds(job, now) : 0;
  return seconds > 0 ? figure(gpuHours(seconds), "") : null;
}

/** The figures of a job, as far as they are known. */
export function figures(shown: ShownJob): HTMLElement[] {
  const all = [valueFigure, epochFigure, timeFigure, placeFigure, gpuFigure];
  return all.map((make) => make(shown)).filter((element) => element !== null);
}

/** `v0017 running of btag, attempt 2`; with `opens`, the name of the scan is a button. */
export function heading({ scan, row }: ShownJob, opens: boolean): (Node | null)[] {
  const name = clip(scan.name, 60);
  const link = opens
    ? button(t("Open the scan %1", name), [name], { class: "gg-l", "data-do": "scan" })
    : name;
  const tries = row.attempts > 1 ? `, ${t("attempt %1", row.attempts)}` : "";
  return [
    icon(row.state),
    h("h2", {}, h("span", { class: "gg-c" }, clip(row.id, 40)), ` ${t(row.state)}`),
    h("span", { class: "gg-q" }, `${t("of")} `, link, tries),
  ];
}

/** One sentence that says why a job failed, waits or was stopped. */
export function reason({ row }: ShownJob): (Node | null)[] {
  const fallback = row.reason && row.state !== "done" ? reasonText(row.reason) : "";
  const text = row.message ?? fallback;
  return text ? [h("span", {}, full(text))] : [];
}
