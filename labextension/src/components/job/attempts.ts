/** When each attempt waited and ran, one line below the other on one axis of time. */
import type { Attempt, Job } from "../../wire";
import { webPage } from "../scan/paths";
import { reasonText } from "../scan/sentences";
import { h } from "../ui/dom";
import { t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { clip, full } from "../ui/text";
import { clock, duration } from "../ui/times";

const MOST = 20;
/** Two times nearer than this, in percent, would cover each other. */
const NEAR = 9;

interface Span {
  from: number;
  to: number;
}

const part = (time: number, { from, to }: Span): number =>
  Math.max(0, Math.min(100, ((time - from) / (to - from || 1)) * 100));

function spanOf(attempts: readonly Attempt[], now: number): Span {
  const times = attempts
    .flatMap(({ submitted, started, ended }) => [submitted, started, ended])
    .filter((time) => time !== null);
  const live = attempts.some((one) => one.ended === null);
  return { from: Math.min(...times, now), to: live ? now : Math.max(...times) };
}

function piece(from: number, to: number, span: Span, look: string): HTMLElement {
  const [left, right] = [part(from, span), part(to, span)];
  const bar = h("i", { class: look });
  bar.style.left = `${left}%`;
  bar.style.width = `max(2px, ${right - left}%)`;
  return bar;
}

function track(
  { submitted, started, ended, state }: Attempt,
  span: Span,
  now: number,
): HTMLElement {
  const bars = [
    submitted === null ? null : piece(submitted, started ?? ended ?? now, span, "gg-waited"),
    started === null ? null : piece(started, ended ?? now, span, `gg-ran gg-${state}`),
  ];
  return h("div", { class: "gg-track" }, ...bars);
}

/** `running for 17 min`, `Node went away after 11 min`. */
export function attemptText(one: Attempt, now: number): string {
  const { state, started, submitted, ended } = one;
  const time = started === null ? null : duration((ended ?? now) - started);
  if (state === "running" && time) return t("running for %1", time);
  if (state === "queued" && submitted !== null)
    return t("in the queue for %1", duration(now - submitted));
  if (state === "done" && time) return t("done after %1", time);
  const why = one.message?.replace(/\.$/, "") ?? (one.reason ? reasonText(one.reason) : t(state));
  return time && !/\bafter\b/.test(why) ? t("%1, after %2", why, time) : why;
}

/** A link to the engine's own page. */
function pageOf(link: string | null): HTMLElement | null {
  const href = webPage(link);
  if (href === null) return null;
  const title = clip(href, 200);
  return h("a", { href, target: "_blank", rel: "noopener noreferrer", title }, t("monitor"));
}

function line(one: Attempt, span: Span, now: number): HTMLElement {
  const where = [one.where, one.gpu].filter(Boolean).map((name) => clip(name ?? "", 30));
  const words = attemptText(one, now);
  const page = pageOf(one.link);
  return h(
    "li",
    { class: "gg-try" },
    h("span", { class: "gg-c" }, String(one.attempt)),
    h("span", { class: "gg-where" }, where.join("\u2002") || clip(one.node ?? "–", 40)),
    track(one, span, now),
    h(
      "span",
      { class: "gg-end", title: full(words) },
      icon(one.state, one.state),
      h("span", {}, clip(words, 200)),
      ...(page ? [" ", page] : []),
    ),
  );
}

/** Times under the bars; of those that would cover each other only the first. */
function axis(attempts: readonly Attempt[], span: Span, live: boolean): HTMLElement {
  const times = attempts.flatMap(({ submitted, started }) => [submitted, started]);
  const known = times.filter((time) => time !== null).sort((a, b) => a - b);
  const track = h("div", { class: "gg-track" });
  let free = -Infinity;
  for (const time of known) {
    const left = part(time, span);
    if (left < free || left > 100 - NEAR) continue;
    free = left + NEAR;
    const mark = h("span", {}, clock(time));
    mark.style.left = `${left}%`;
    track.append(mark);
  }
  track.append(h("span", { class: "gg-last" }, live ? t("now") : clock(span.to)));
  return h(
    "li",
    { class: "gg-try gg-axis gg-q", "aria-hidden": "true" },
    h("span"),
    h("span"),
    track,
  );
}

/** Of very many attempts, the last ones. */
export function attemptLines({ attempts }: Job, now: number): HTMLElement[] {
  const shown = attempts.slice(-MOST);
  if (shown.length === 0) return [];
  const span = spanOf(shown, now);
  const live = shown.some((one) => one.ended === null);
  return [...shown.map((one) => line(one, span, now)), axis(shown, span, live)];
}
