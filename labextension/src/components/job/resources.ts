/** What a job used while it ran: an area for each of GPU, GPU memory, memory and cores. */
import type { Job, Metrics, Usage } from "../../wire";
import { h, svg } from "../ui/dom";
import { t } from "../ui/i18n";
import { mean } from "../ui/numbers";
import { duration } from "../ui/times";

type Key = "gpu" | "gpu_memory_mb" | "memory_mb" | "cpu";

interface Gauge {
  key: Key;
  name: string;
  unit: string;
  /** From what is told to what is shown. */
  scale: number;
  digits: number;
  /** The least top of the picture. */
  top: number;
}

const GAUGES: Gauge[] = [
  { key: "gpu", name: "GPU", unit: "%", scale: 1, digits: 0, top: 100 },
  { key: "gpu_memory_mb", name: "GPU memory", unit: "GB", scale: 1 / 1024, digits: 1, top: 0 },
  { key: "memory_mb", name: "Memory", unit: "GB", scale: 1 / 1024, digits: 1, top: 0 },
  { key: "cpu", name: "CPU", unit: "cores", scale: 1, digits: 1, top: 1 },
];

const [WIDTH, HEIGHT] = [262, 54];
const MOST = 300;

/** Times and what was seen at them; a few hundred are enough. */
function seen(usage: Usage, { key, scale }: Gauge): [time: number, value: number][] {
  const found: [number, number][] = [];
  const { times } = usage;
  const values = usage[key] ?? [];
  for (let i = 0; i < Math.min(times.length, values.length); i += 1) {
    const [time, value] = [times[i], values[i]];
    if (Number.isFinite(time) && Number.isFinite(value))
      found.push([time as number, (value as number) * scale]);
  }
  const stride = Math.ceil(found.length / MOST);
  return stride > 1 ? found.filter((_, i) => i % stride === 0 || i === found.length - 1) : found;
}

function limitOf({ key, scale }: Gauge, job: Job | null): number | null {
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
  const [first, last] = [points[0]?.[0] ?? 0, points[points.length - 1]?.[0] ?? 1];
  const high = Math.max(top, limit ?? 0, ...points.map(([, value]) => value)) * 1.1 || 1;
  const x = (time: number): string => rounded(((time - first) / (last - first || 1)) * WIDTH);
  const y = (value: number): string => rounded(HEIGHT - 1 - (value / high) * (HEIGHT - 1));
  const line = points.map(([time, value]) => `${x(time)} ${y(value)}`).join("L");
  const still = { "vector-effect": "non-scaling-stroke" };
  const parts = [
    svg("path", { class: "gg-area", d: `M0 ${HEIGHT}L${line}L${WIDTH} ${HEIGHT}` }),
    svg("path", { class: "gg-edge", d: `M${line}`, ...still }),
    svg("path", { class: "gg-floor", d: `M0 ${HEIGHT - 0.5}H${WIDTH}`, ...still }),
  ];
  if (limit !== null)
    parts.push(svg("path", { class: "gg-limit", d: `M0 ${y(limit)}H${WIDTH}`, ...still }));
  const box = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" };
  return svg("svg", { ...box, role: "img", "aria-label": label }, ...parts);
}

function chart(gauge: Gauge, usage: Usage, job: Job | null): HTMLElement | null {
  const points = seen(usage, gauge);
  const last = points[points.length - 1];
  if (!last) return null;
  const limit = limitOf(gauge, job);
  const name = t(gauge.name);
  const values = points.map(([, value]) => value);
  const shown = last[1].toFixed(gauge.digits);
  const of = limit === null ? gauge.unit : `${t("of")} ${Number(limit.toFixed(1))} ${gauge.unit}`;
  const percent = gauge.key === "gpu";
  const told = percent ? mean(values).toFixed(0) : Math.max(...values).toFixed(gauge.digits);
  const below = t(percent ? "mean %1 %2" : "highest %1 %2", told, gauge.unit);
  return h(
    "div",
    {},
    h(
      "div",
      { class: "gg-gauge" },
      h("span", {}, name),
      h("b", { class: "gg-c" }, shown),
      h("span", { class: "gg-q" }, of),
    ),
    picture(points, limit, gauge.top, `${name} ${shown} ${of}, ${below}`),
    h("div", { class: "gg-q gg-small" }, below),
  );
}

export function charts({ usage }: Metrics, job: Job | null): HTMLElement[] {
  return GAUGES.map((gauge) => chart(gauge, usage, job)).filter((one) => one !== null);
}

/** `attempt 2, every 10 s`. */
export function usageNote({ attempt, usage: { times } }: Metrics): string {
  const gaps = times.slice(1).map((time, i) => time - (times[i] ?? time));
  const middle = gaps.sort((a, b) => a - b)[Math.floor(gaps.length / 2)];
  const tried = t("attempt %1", attempt);
  return middle && middle >= 1 ? `${tried}, ${t("every %1", duration(Math.round(middle)))}` : tried;
}
