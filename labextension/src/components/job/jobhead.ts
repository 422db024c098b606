/** The head of a job: its state, value and rank, epoch, time, place. */
import type { Job, Row, ScanInfo } from "../../wire";
import { comparable, elapsed } from "../scan/rows";
import { reasonText } from "../scan/sentences";
import { gpuHours, toNumber } from "../scan/values";
import { button, h } from "../ui/dom";
import { t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { finite, formatAlone } from "../ui/numbers";
import { clip, full } from "../ui/text";
import { duration, roughly } from "../ui/times";

export interface ShownJob {
  scan: ScanInfo;
  row: Row;
  job: Job | null;
  /** By the sender's clock. */
  now: number;
  rank: number | null;
}

const ENDINGS: Record<number, string> = { 1: "st", 2: "nd", 3: "rd" };

/** `1st`, `2nd`, `13th`. */
export function ordinal(place: number): string {
  const teen = place % 100 > 10 && place % 100 < 14;
  return `${place}${(!teen && ENDINGS[place % 10]) || "th"}`;
}

/** `rej_light, 2nd; best is 171.3, v0038`. */
export function valueSentence({ scan, row, rank }: ShownJob): string {
  const { objective, best, best_value } = scan;
  const told = [clip(objective?.metric ?? "", 40), rank === null ? "" : ordinal(rank)];
  const value = toNumber(best_value);
  if (row.id === best) return [told[0], t("best")].join(", ");
  const other =
    finite(value) && best ? t("best is %1, %2", formatAlone(value), clip(best, 40)) : "";
  return [told.filter(Boolean).join(", "), other].filter(Boolean).join("; ");
}

/** By its epochs so far, once there is one. */
export function jobTimeLeft(row: Row, now: number): string {
  const { state, step, steps, started } = row;
  if (state !== "running" || !step || !steps || started === null || step >= steps) return "";
  return t("about %1 left", roughly(((now - started) / step) * (steps - step)));
}

/** What all attempts have used. */
export function usedSeconds(job: Job, now: number): number {
  return job.attempts.reduce((sum, { started, ended }) => {
    return started === null ? sum : sum + Math.max(0, (ended ?? now) - started) * job.limits.gpus;
  }, 0);
}

const quiet = (text: string): HTMLElement | null =>
  text ? h("span", { class: "gg-q" }, text) : null;

function fact(strong: string, more: string, code = false): HTMLElement | null {
  if (!strong) return null;
  const main = code ? h("b", { class: "gg-c" }, strong) : strong;
  return h("div", {}, main, more ? " " : null, quiet(more));
}

function epoch({ row }: ShownJob): HTMLElement | null {
  if (row.step === null) return null;
  return fact(t("epoch %1", row.step), row.steps ? t("of %1", row.steps) : "");
}

function place({ row, job }: ShownJob): HTMLElement | null {
  const node = job?.attempts[job.attempts.length - 1]?.node;
  const where = [row.where, row.gpu].filter(Boolean).map((name) => clip(name ?? "", 40));
  return fact(
    where.join("\u2002") || (node ? clip(node, 40) : ""),
    node && where.length ? t("node %1", clip(node, 40)) : "",
  );
}

export function figures(shown: ShownJob): HTMLElement[] {
  const { row, job, now } = shown;
  const value = comparable(row) ?? toNumber(row.value);
  const time = elapsed(row, now);
  const seconds = job ? usedSeconds(job, now) : 0;
  return [
    value === null ? null : fact(formatAlone(value), valueSentence(shown), true),
    epoch(shown),
    time === null ? null : fact(duration(time), jobTimeLeft(row, now)),
    place(shown),
    seconds > 0 ? fact(gpuHours(seconds), "") : null,
  ].filter((node) => node !== null);
}

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

/** Why it failed, waits or stopped: one sentence. */
export function reason({ row }: ShownJob): (Node | null)[] {
  const text = row.message ?? (row.reason && row.state !== "done" ? reasonText(row.reason) : "");
  return text ? [h("span", {}, full(text))] : [];
}
