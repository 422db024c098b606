/** When each attempt waited and ran: one line for each, on one axis of time. */
import type { Attempt, JobDetails } from "../../wire";
import { webPage } from "../scan/paths";
import { reasonText } from "../scan/sentences";
import { h } from "../ui/dom";
import { t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { clip, full } from "../ui/text";
import { clock, duration } from "../ui/times";

/** Of very many attempts, the last ones are shown. */
const MOST_ATTEMPTS = 20;
/** Two times that are nearer than this many percent of the axis would cover each other. */
const NEAR = 9;

/** The times at the ends of the axis, in Unix seconds. */
interface Span {
  from: number;
  to: number;
}

/** The place of a time on the axis, in percent. */
function percentOf(time: number, { from, to }: Span): number {
  const share = (time - from) / (to - from || 1);
  return Math.max(0, Math.min(100, share * 100));
}

function spanOf(attempts: readonly Attempt[], now: number): Span {
  const times = attempts
    .flatMap(({ submitted, started, ended }) => [submitted, started, ended])
    .filter((time) => time !== null);
  const live = attempts.some(({ ended }) => ended === null);
  return { from: Math.min(...times, now), to: live ? now : Math.max(...times) };
}

function bar(from: number, to: number, span: Span, look: string): HTMLElement {
  const left = percentOf(from, span);
  const element = h("i", { class: look });
  element.style.left = `${left}%`;
  // A job of a few seconds on an axis of a day is still seen.
  element.style.width = `max(2px, ${percentOf(to, span) - left}%)`;
  return element;
}

function track(attempt: Attempt, span: Span, now: number): HTMLElement {
  const { submitted, started, ended, state } = attempt;
  const element = h("div", { class: "gg-track" });
  if (submitted !== null)
    element.append(bar(submitted, started ?? ended ?? now, span, "gg-waited"));
  if (started !== null) element.append(bar(started, ended ?? now, span, `gg-ran gg-${state}`));
  return element;
}

function reasonOf({ message, reason, state }: Attempt): string {
  if (message !== null) return full(message.replace(/\.$/, ""));
  return reason ? reasonText(reason) : t(state);
}

/** `running for 17 min`, `Node went away after 11 min`. */
export function attemptText(attempt: Attempt, now: number): string {
  const { state, started, submitted, ended } = attempt;
  if (state === "queued" && submitted !== null)
    return t("in the queue for %1", duration(now - submitted));
  const time = started === null ? null : duration((ended ?? now) - started);
  if (time && state === "running") return t("running for %1", time);
  if (time && state === "done") return t("done after %1", time);
  const why = reasonOf(attempt);
  // Many messages say themselves after how long: `Reached the 1 h limit after 60 min`.
  return time && !/\bafter\b/.test(why) ? t("%1, after %2", why, time) : why;
}

/** A link to the page that the backend has about an attempt. */
function monitorLink(link: string | null): HTMLElement | null {
  const href = webPage(link);
  if (href === null) return null;
  const title = clip(href, 200);
  return h("a", { href, target: "_blank", rel: "noopener noreferrer", title }, t("monitor"));
}

function line(attempt: Attempt, span: Span, now: number): HTMLElement {
  const places = [attempt.where, attempt.gpu].filter(Boolean).map((name) => clip(name ?? "", 30));
  const where = places.join("\u2002") || clip(attempt.node ?? "–", 40);
  const text = attemptText(attempt, now);
  const outcome = h("span", { class: "gg-end", title: full(text) });
  outcome.append(icon(attempt.state, attempt.state), h("span", {}, clip(text, 200)));
  const monitor = monitorLink(attempt.link);
  if (monitor) outcome.append(" ", monitor);
  return h(
    "li",
    { class: "gg-try" },
    h("span", { class: "gg-c" }, String(attempt.attempt)),
    h("span", { class: "gg-where" }, where),
    track(attempt, span, now),
    outcome,
  );
}

/** Times under the bars. Of those that would cover each other, only the first is written. */
function timeAxis(attempts: readonly Attempt[], span: Span, live: boolean): HTMLElement {
  const times = attempts.flatMap(({ submitted, started }) => [submitted, started]);
  const known = times.filter((time) => time !== null).sort((a, b) => a - b);
  const marks = h("div", { class: "gg-track" });
  let free = -Infinity;
  for (const time of known) {
    const left = percentOf(time, span);
    // The last mark, `now` or the end, stands at 100 percent.
    if (left < free || left > 100 - NEAR) continue;
    free = left + NEAR;
    const mark = h("span", {}, clock(time));
    mark.style.left = `${left}%`;
    marks.append(mark);
  }
  marks.append(h("span", { class: "gg-last" }, live ? t("now") : clock(span.to)));
  const wanted = { class: "gg-try gg-axis gg-q", "aria-hidden": "true" };
  return h("li", wanted, h("span"), h("span"), marks);
}

/** The lines of the attempts of a job, and below them the axis. */
export function attemptLines({ attempts }: JobDetails, now: number): HTMLElement[] {
  const shown = attempts.slice(-MOST_ATTEMPTS);
  if (shown.length === 0) return [];
  const span = spanOf(shown, now);
  const live = shown.some(({ ended }) => ended === null);
  return [...shown.map((attempt) => line(attempt, span, now)), timeAxis(shown, span, live)];
}
