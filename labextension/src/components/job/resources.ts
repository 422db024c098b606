/** What a job used while it ran: one picture each for GPU, GPU memory, memory and cores. */
import type { JobDetails, JobMetrics, UsageCurves } from "../../wire";
import { h, svg } from "../ui/dom";
import { t } from "../ui/i18n";
import { mean } from "../ui/numbers";
import { duration } from "../ui/times";

/** The lists in a `Usage`. */
type Resource = "gpu" | "gpu_memory_mb" | "memory_mb" | "cpu";

/** How one resource is shown. */
interface Gauge {
  key: Resource;
  name: string;
  unit: string;
  /** A value in the shown unit for a value of 1 in the unit of the message. */
  scale: number;
  digits: number;
  /** The picture reaches at least to this value. */
  top: number;
}

const GAUGES: Gauge[] = [
  { key: "gpu", name: "GPU", unit: "%", scale: 1, digits: 0, top: 100 },
  { key: "gpu_memory_mb", name: "GPU memory", unit: "GB", scale: 1 / 1024, digits: 1, top: 0 },
  { key: "memory_mb", name: "Memory", unit: "GB", scale: 1 / 1024, digits: 1, top: 0 },
  { key: "cpu", name: "CPU", unit: "cores", scale: 1, digits: 1, top: 1 },
];

/** The size of a picture, before it is stretched to the width of the page. */
const WIDTH = 262;
const HEIGHT = 54;
/** More points than this are not told apart in a picture. */
const MOST_POINTS = 300;

/** Times and the values at them, thinned to about MOST_POINTS. */
function pointsOf(usage: UsageCurves, { key, scale }: Gauge): [time: number, value: number][] {
  const found: [number, number][] = [];
  const { times } = usage;
  const values = usage[key] ?? [];
  for (let i = 0; i < Math.min(times.length, values.length); i += 1) {
    const time = times[i];
    const value = values[i];
    // A measurement that failed is null.
    if (typeof time !== "number" || typeof value !== "number") continue;
    if (Number.isFinite(time) && Number.isFinite(value)) found.push([time, value * scale]);
  }
  const stride = Math.ceil(found.length / MOST_POINTS);
  if (stride <= 1) return found;
  return found.filter((_, i) => i % stride === 0 || i === found.length - 1);
}

/** The limit of a resource in its shown unit; null where the job has none or it is not known. */
function limitOf({ key, scale }: Gauge, job: JobDetails | null): number | null {
  const limit = key === "memory_mb" ? job?.limits.memory_mb : null;
  return limit ? limit * scale : null;
}

const rounded = (value: number): string => String(Math.round(value * 10) / 10);

function picture(
  points: [number, number][],
  limit: number | null,
  top: number,
  label: string,
): Node {
  const first = points[0]?.[0] ?? 0;
  const last = points[points.length - 1]?.[0] ?? 1;
  const high = Math.max(top, limit ?? 0, ...points.map(([, value]) => value)) * 1.1 || 1;
  const x = (time: number): string => rounded(((time - first) / (last - first || 1)) * WIDTH);
  const y = (value: number): string => rounded(HEIGHT - 1 - (value / high) * (HEIGHT - 1));
  const line = points.map(([time, value]) => `${x(time)} ${y(value)}`).join("L");
  // The picture is stretched to the width of the page, its lines are not.
  const still = { "vector-effect": "non-scaling-stroke" };
  const shapes = [
    svg("path", { class: "gg-area", d: `M0 ${HEIGHT}L${line}L${WIDTH} ${HEIGHT}` }),
    svg("path", { class: "gg-edge", d: `M${line}`, ...still }),
    svg("path", { class: "gg-floor", d: `M0 ${HEIGHT - 0.5}H${WIDTH}`, ...still }),
  ];
  if (limit !== null)
    shapes.push(svg("path", { class: "gg-limit", d: `M0 ${y(limit)}H${WIDTH}`, ...still }));
  const box = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" };
  return svg("svg", { ...box, role: "img", "aria-label": label }, ...shapes);
}

/** `mean 83 %` of a GPU, `highest 3.1 GB` of everything else. */
function summary(gauge: Gauge, values: number[]): string {
  if (gauge.key === "gpu") return t("mean %1 %2", mean(values).toFixed(0), gauge.unit);
  return t("highest %1 %2", Math.max(...values).toFixed(gauge.digits), gauge.unit);
}

function chart(gauge: Gauge, usage: UsageCurves, job: JobDetails | null): HTMLElement | null {
  const points = pointsOf(usage, gauge);
  const last = points[points.length - 1];
  if (!last) return null;
  const limit = limitOf(gauge, job);
  const name = t(gauge.name);
  const now = last[1].toFixed(gauge.digits);
  const of = limit === null ? gauge.unit : `${t("of")} ${Number(limit.toFixed(1))} ${gauge.unit}`;
  const below = summary(
    gauge,
    points.map(([, value]) => value),
  );
  const title = h("div", { class: "gg-gauge" });
  title.append(h("span", {}, name), h("b", { class: "gg-c" }, now));
  title.append(h("span", { class: "gg-q" }, of));
  const label = `${name} ${now} ${of}, ${below}`;
  const foot = h("div", { class: "gg-q gg-small" }, below);
  return h("div", {}, title, picture(points, limit, gauge.top, label), foot);
}

/** The pictures of the resources that a job has told of. */
export function charts({ usage }: JobMetrics, job: JobDetails | null): HTMLElement[] {
  return GAUGES.map((gauge) => chart(gauge, usage, job)).filter((element) => element !== null);
}

/** `attempt 2, every 10 s`: the attempt, and the usual time between two measurements. */
export function usageNote({ attempt, usage: { times } }: JobMetrics): string {
  // The median: a job that was suspended leaves one very long gap.
  const gaps = times.slice(1).map((time, i) => time - (times[i] ?? time));
  const middle = gaps.sort((a, b) => a - b)[Math.floor(gaps.length / 2)];
  const attemptText = t("attempt %1", attempt);
  if (!middle || middle < 1) return attemptText;
  return `${attemptText}, ${t("every %1", duration(Math.round(middle)))}`;
}
