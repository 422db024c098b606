/** All columns that a scan can have, in their order. */
import type { ObjectiveInfo, ScanInfo } from "../../wire";
import { hasFront, objectivesOf } from "../scan/ranking";
import { barsMeanSomething, type RowStatistics } from "../scan/statistics";
import { newStyle, type NumberStyle, styleLength } from "../ui/numbers";

/** The kinds of columns. */
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

/** One column. */
export interface Column {
  /** A text that is unique among the columns of a scan. */
  key: string;
  kind: Kind;
  /** The parameter or metric of the column. It comes from a job. */
  name: string;
  /** Which of the objectives it shows, from 0. */
  index: number;
  label: string;
  title: string;
  /** The attribute `data-col` of its cells. */
  hook: string;
  /** In pixels. */
  width: number;
  /** The cells are aligned to the right. */
  right: boolean;
  /** The column is shown unless the user chose otherwise. */
  auto: boolean;
  /** In a table that is too narrow the highest goes first; 0 never goes. */
  drop: number;
}

/** The width of a digit and the space around a text, in pixels. */
const CHAR = 7;
const GAP = 12;
/** The mean width of a character in proportional letters, in pixels. */
const PROPORTIONAL_CHAR = 6.4;
const HEAD_CHAR = 5.7;
/** Repeats are written as `first +2` or as `168.4 ± 1.2 (3)`, which takes more room. */
const OTHERS_WIDTH = 18;
const SPREAD_CHARS = 10;
/** So many metrics are shown, the objective included; more of them can be chosen. */
const METRICS_SHOWN = 4;
/** So many characters of an id are shown: a saved output may hold any id. */
const ID_CHARS = 16;
/** So many characters of a text in a parameter are shown. */
const PARAM_CHARS = 18;

const clamp = (low: number, value: number, high: number): number =>
  Math.max(low, Math.min(high, Math.ceil(value)));

const headWidth = (label: string): number => clamp(0, label.length * HEAD_CHAR + GAP, 110);

function column(kind: Kind, label: string, width: number, more: Partial<Column> = {}): Column {
  const base = {
    key: kind,
    name: "",
    index: 0,
    hook: kind,
    title: label,
    right: false,
    auto: true,
    drop: 0,
  };
  return { ...base, kind, label, ...more, width: Math.max(width, headWidth(label)) };
}

function paramWidth(statistics: RowStatistics, name: string): number {
  const known = statistics.params.get(name);
  if (!known) return 48;
  const { style, length } = known;
  // Room for the digits that later values may have, so that the column does not jump.
  const reserve = style.whole ? 3 : 7;
  const numbers = style.count ? Math.max(reserve, styleLength(style)) : 0;
  return clamp(44, Math.max(numbers, Math.min(length, PARAM_CHARS)) * CHAR + GAP, 150);
}

/** How much a parameter varies, from 0 to 0.99. */
function variety(statistics: RowStatistics, name: string): number {
  return Math.min(0.99, (statistics.params.get(name)?.distinct.size ?? 0) / 64);
}

/** The varied parameters first, then the ones that are the same for all variants. */
function paramColumns(scan: ScanInfo, statistics: RowStatistics): Column[] {
  const known = [...new Set([...scan.params, ...scan.varied, ...statistics.params.keys()])];
  const varied = new Set(scan.varied);
  const names = [
    ...known.filter((name) => varied.has(name)),
    ...known.filter((name) => !varied.has(name)),
  ];
  return names.map((name) =>
    column("param", name, paramWidth(statistics, name), {
      key: `p:${name}`,
      hook: name,
      name,
      right: statistics.params.get(name)?.numeric ?? true,
      auto: varied.has(name),
      // Those that vary least are hidden first.
      drop: 30 - 10 * variety(statistics, name),
    }),
  );
}

function epochColumns(statistics: RowStatistics): Column[] {
  if (!statistics.hasEpochs) return [];
  const digits = String(statistics.steps || 100).length;
  // Two numbers and the stroke between them: 12/20.
  const width = Math.max(54, (2 * digits + 1) * CHAR + GAP);
  return [column("epoch", "epoch", width, { right: true, drop: 12 })];
}

function curveColumn(metric: string, auto: boolean, drop: number): Column {
  const names = { key: `c:${metric}`, hook: `curve:${metric}`, name: metric, auto, drop };
  return column("curve", "by epoch", 80, { ...names, title: `${metric} by epoch` });
}

function objectiveColumn(
  { metric, reduction, direction }: ObjectiveInfo,
  index: number,
  scan: ScanInfo,
  style: NumberStyle,
): Column {
  const value = reduction === "last" ? "last value" : `${reduction} over epochs`;
  // Several objectives may have different directions.
  const title = `${metric}, ${value}${hasFront(scan) ? `, ${direction}d` : ""}`;
  const spread = scan.repeats ? SPREAD_CHARS : 0;
  const chars = Math.max(7, styleLength(style)) + spread;
  // In the head there is also the arrow of the sort.
  const width = Math.max(chars * CHAR + GAP, headWidth(metric) + 16);
  const names = { key: `m:${metric}`, hook: `metric:${metric}`, name: metric, index, title };
  return column("objective", metric, width, { ...names, right: true });
}

/** The objectives with their curves. Bars need a best value, which several objectives have not. */
function objectiveColumns(scan: ScanInfo, statistics: RowStatistics): Column[] {
  return objectivesOf(scan).flatMap((objective, index) => {
    const style = statistics.values[index] ?? newStyle(4);
    const bars = scan.objective !== null && barsMeanSomething(style);
    return [
      objectiveColumn(objective, index, scan, style),
      ...(bars ? [column("best", "% of best", 74, { drop: 60, right: false })] : []),
      curveColumn(objective.metric, true, 50 + index),
    ];
  });
}

function metricWidth(style: NumberStyle | undefined): number {
  const chars = style ? Math.max(7, styleLength(style)) : 7;
  return clamp(60, chars * CHAR + GAP, 120);
}

function metricColumns(scan: ScanInfo, statistics: RowStatistics): Column[] {
  const objectives = new Set(objectivesOf(scan).map(({ metric }) => metric));
  const others = [...statistics.metrics.keys()].filter((name) => !objectives.has(name));
  const room = METRICS_SHOWN - objectives.size;
  return others.flatMap((name, index) => {
    const width = metricWidth(statistics.metrics.get(name));
    const auto = index < room;
    const names = { key: `m:${name}`, hook: `metric:${name}`, name, title: `${name}, last value` };
    const drop = 90 + index;
    const value = column("metric", name, width, { ...names, right: true, auto, drop });
    // The curve goes before the value.
    return [value, curveColumn(name, auto, drop + 0.5)];
  });
}

function placeColumns(scan: ScanInfo, statistics: RowStatistics): Column[] {
  const { whereLength, gpuLength } = statistics;
  const others = scan.repeats ? OTHERS_WIDTH : 0;
  const columns: Column[] = [];
  if (whereLength) {
    const width = clamp(50, whereLength * PROPORTIONAL_CHAR + GAP, 130) + others;
    const local = scan.backend === "local";
    // All jobs of the local backend run on one machine.
    const label = local ? "machine" : "site";
    columns.push(column("where", label, width, { drop: 40, auto: !local }));
  }
  if (gpuLength) {
    const width = clamp(50, gpuLength * PROPORTIONAL_CHAR + GAP, 110) + others;
    columns.push(column("gpu", "GPU", width, { drop: 70 }));
  }
  return columns;
}

/** The columns of a scan, as far as its rows have something to show in them. */
export function buildColumns(scan: ScanInfo, statistics: RowStatistics): Column[] {
  return [
    column("select", "", 30),
    column("id", "id", Math.min(statistics.idLength, ID_CHARS) * CHAR + (scan.repeats ? 42 : 28)),
    column("state", "state", scan.repeats ? 108 : 84),
    ...paramColumns(scan, statistics),
    ...epochColumns(statistics),
    ...objectiveColumns(scan, statistics),
    ...metricColumns(scan, statistics),
    ...placeColumns(scan, statistics),
    column("time", "time", 84, { right: true, drop: 14 }),
  ];
}
