/** All columns a scan can have, in order, and which of them show. Pure. */
import type { ScanInfo } from "../../wire";
import { barsMeanSomething, type RowStatistics } from "../scan/statistics";
import { styleLength } from "../ui/numbers";

export type Kind =
  | "select"
  | "id"
  | "state"
  | "param"
  | "epoch"
  | "objective"
  | "best"
  | "curve"
  | "metric"
  | "where"
  | "gpu"
  | "time";

export interface Column {
  key: string;
  kind: Kind;
  /** Parameter or metric; untrusted. */
  name: string;
  label: string;
  title: string;
  /** The `data-col` of its cells. */
  hook: string;
  width: number;
  right: boolean;
  /** Shows when nobody asked for or against it. */
  auto: boolean;
  /** The highest goes first when it is too narrow; 0 never goes. */
  drop: number;
}

const CHAR = 7;
const GAP = 12;
const METRICS_SHOWN = 4;

const clamp = (low: number, value: number, high: number): number =>
  Math.max(low, Math.min(high, Math.ceil(value)));

const headWidth = (label: string): number => clamp(0, label.length * 5.7 + GAP, 110);

function column(kind: Kind, label: string, width: number, more: Partial<Column> = {}): Column {
  const base = { key: kind, name: "", hook: kind, title: label, right: false, auto: true, drop: 0 };
  const asked = { ...base, kind, label, ...more };
  return { ...asked, width: Math.max(width, headWidth(label)) };
}

function paramWidth(facts: RowStatistics, name: string): number {
  const known = facts.params.get(name);
  if (!known) return 48;
  const reserve = known.style.whole ? 3 : 7;
  const numbers = known.style.count ? Math.max(reserve, styleLength(known.style)) : 0;
  return clamp(44, Math.max(numbers, Math.min(known.length, 18)) * CHAR + GAP, 150);
}

/** How much a parameter varies: those that vary least hide first. */
function spread(facts: RowStatistics, name: string): number {
  return Math.min(0.99, (facts.params.get(name)?.distinct.size ?? 0) / 64);
}

function params(scan: ScanInfo, facts: RowStatistics): Column[] {
  const known = [...new Set([...scan.params, ...scan.varied, ...facts.params.keys()])];
  const varied = new Set(scan.varied);
  return [
    ...known.filter((name) => varied.has(name)),
    ...known.filter((name) => !varied.has(name)),
  ].map((name) =>
    column("param", name, paramWidth(facts, name), {
      key: `p:${name}`,
      hook: name,
      name,
      right: facts.params.get(name)?.numeric ?? true,
      auto: varied.has(name),
      drop: 30 - 10 * spread(facts, name),
    }),
  );
}

function epoch(facts: RowStatistics): Column[] {
  const digits = String(facts.steps || 100).length;
  const width = Math.max(54, (2 * digits + 1) * CHAR + GAP);
  return facts.hasEpochs ? [column("epoch", "epoch", width, { right: true, drop: 12 })] : [];
}

function curve(metric: string, auto: boolean, drop: number): Column {
  const names = { key: `c:${metric}`, hook: `curve:${metric}`, name: metric, auto, drop };
  return column("curve", "by epoch", 80, { ...names, title: `${metric} by epoch` });
}

function objective(scan: ScanInfo, facts: RowStatistics): Column[] {
  const wanted = scan.objective;
  if (!wanted) return [];
  const { metric, reduction } = wanted;
  const title =
    reduction === "last" ? `${metric}, last value` : `${metric}, ${reduction} over epochs`;
  const chars = Math.max(7, styleLength(facts.value)) + (scan.repeats ? 10 : 0);
  const width = Math.max(chars * CHAR + GAP, headWidth(metric) + 16);
  const value = { key: `m:${metric}`, hook: `metric:${metric}`, name: metric, title, right: true };
  const bars = barsMeanSomething(facts.value)
    ? [column("best", "% of best", 74, { drop: 60, right: false })]
    : [];
  return [column("objective", metric, width, value), ...bars, curve(metric, true, 50)];
}

function metrics(scan: ScanInfo, facts: RowStatistics): Column[] {
  const others = [...facts.metrics.keys()].filter((name) => name !== scan.objective?.metric);
  const room = METRICS_SHOWN - (scan.objective ? 1 : 0);
  return others.flatMap((name, index) => {
    const style = facts.metrics.get(name);
    const width = clamp(60, Math.max(7, style ? styleLength(style) : 0) * CHAR + GAP, 120);
    const auto = index < room;
    const names = { key: `m:${name}`, hook: `metric:${name}`, name, title: `${name}, last value` };
    const drop = 90 + index;
    const value = column("metric", name, width, { ...names, right: true, auto, drop });
    return [value, curve(name, auto, drop + 0.5)];
  });
}

function places(scan: ScanInfo, facts: RowStatistics): Column[] {
  const others = scan.repeats ? 18 : 0;
  const site = clamp(50, facts.whereLength * 6.4 + GAP, 130) + others;
  const gpu = clamp(50, facts.gpuLength * 6.4 + GAP, 110) + others;
  const local = scan.backend === "local";
  const where = column("where", local ? "machine" : "site", site, { drop: 40, auto: !local });
  return [
    ...(facts.whereLength ? [where] : []),
    ...(facts.gpuLength ? [column("gpu", "GPU", gpu, { drop: 70 })] : []),
  ];
}

export function buildColumns(scan: ScanInfo, facts: RowStatistics): Column[] {
  return [
    column("select", "", 30),
    column("id", "id", facts.idLength * CHAR + (scan.repeats ? 42 : 28)),
    column("state", "state", scan.repeats ? 108 : 84),
    ...params(scan, facts),
    ...epoch(facts),
    ...objective(scan, facts),
    ...metrics(scan, facts),
    ...places(scan, facts),
    column("time", "time", 84, { right: true, drop: 14 }),
  ];
}
