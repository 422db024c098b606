/** Which variants are the best: one with one objective, the Pareto front with several. */
import type { ObjectiveInfo, Row, ScanInfo } from "../../wire";
import { t } from "../ui/i18n";
import { finite } from "../ui/numbers";
import { byId, comparable } from "./rows";
import { toNumber } from "./values";

/** The first `most` items in the order of `compare`, without sorting all of them. */
export function least<T>(items: Iterable<T>, most: number, compare: (a: T, b: T) => number): T[] {
  const kept: T[] = [];
  for (const item of items) {
    const last = kept[most - 1];
    if (last !== undefined && compare(item, last) >= 0) continue;
    let place = kept.length;
    while (place > 0 && compare(item, kept[place - 1] as T) < 0) place -= 1;
    kept.splice(place, 0, item);
    if (kept.length > most) kept.pop();
  }
  return kept;
}

/** The objectives of a scan: none, one or several. A head of an older version has at most one. */
export function objectivesOf({ objective, objectives }: ScanInfo): readonly ObjectiveInfo[] {
  if (objective) return [objective];
  return objectives ?? [];
}

/** Whether a scan has a Pareto front in the place of a best variant. */
export const hasFront = (scan: ScanInfo): boolean => objectivesOf(scan).length > 1;

/** An objective as a user writes it: `max(acc)`; the last value, the usual one, is left out. */
export const objectiveLabel = ({ metric, reduction }: ObjectiveInfo): string =>
  reduction === "last" ? metric : `${reduction}(${metric})`;

/** What an objective asks for: `maximize max(acc)`. */
export const objectiveText = (objective: ObjectiveInfo): string =>
  `${t(objective.direction)} ${objectiveLabel(objective)}`;

/** What is maximized and minimized: `maximize rej_light, minimize loss`. */
export const objectivesText = (scan: ScanInfo): string =>
  objectivesOf(scan).map(objectiveText).join(", ");

/** A front may have thousands of variants, so that it is searched only once. */
const fronts = new WeakMap<ScanInfo, ReadonlySet<string>>();

/** The ids of the Pareto front; empty where there is a single best. */
export function frontOf(scan: ScanInfo): ReadonlySet<string> {
  const known = fronts.get(scan);
  if (known) return known;
  const made = new Set(hasFront(scan) ? scan.pareto : []);
  fronts.set(scan, made);
  return made;
}

/** Whether a variant is marked: as the best one, or as one of the front. */
export const isMarked = (scan: ScanInfo, id: string): boolean =>
  id === scan.best || frontOf(scan).has(id);

/** With this sign, smaller is better. */
const signOf = (objective: ObjectiveInfo | undefined): number =>
  objective?.direction === "minimize" ? 1 : -1;

/**
 * Compares rows: the best first, those without a value last and by their ids.
 *
 * With several objectives the front comes first. Inside of it and behind it, the first objective
 * decides.
 */
export function byValue(scan: ScanInfo): (a: Row, b: Row) => number {
  const sign = signOf(objectivesOf(scan)[0]);
  const front = frontOf(scan);
  const key = (row: Row): number => {
    const value = comparable(row);
    return finite(value) ? sign * value : Infinity;
  };
  return (a, b) => {
    const behind = Number(front.has(b.id)) - Number(front.has(a.id));
    if (behind !== 0) return behind;
    const keyA = key(a);
    const keyB = key(b);
    // Equal keys are not subtracted, since Infinity - Infinity is NaN.
    return keyA === keyB ? byId(a.id, b.id) : keyA - keyB;
  };
}

/** The ids of the best variants that have a value, or of the front; at most `most` of them. */
export function bestIds(rows: Iterable<Row>, scan: ScanInfo, most: number): string[] {
  const front = frontOf(scan);
  const found = least(rows, most, byValue(scan)).filter((row) => finite(comparable(row)));
  // Behind the front, no variant is one of the best.
  return found.filter(({ id }) => front.size === 0 || front.has(id)).map(({ id }) => id);
}

/** The place of a row among all: 1 is the best; null where it has no value, or with a front. */
export function rankOf(row: Row, rows: Iterable<Row>, scan: ScanInfo): number | null {
  const value = comparable(row);
  if (!finite(value) || !scan.objective) return null;
  const sign = signOf(scan.objective);
  let rank = 1;
  for (const other of rows) {
    const theirs = comparable(other);
    if (finite(theirs) && sign * theirs < sign * value) rank += 1;
  }
  return rank;
}

/**
 * The variant with which curves of a metric are compared; null where there is none.
 *
 * With several objectives there is no best variant. For the metric of an objective it is the one
 * of the front that is best in this objective; for another metric there is none.
 */
export function bestInMetric(
  scan: ScanInfo,
  metric: string,
  rows: ReadonlyMap<string, Row>,
): string | null {
  if (!hasFront(scan)) return scan.best;
  const index = objectivesOf(scan).findIndex((objective) => objective.metric === metric);
  const sign = signOf(objectivesOf(scan)[index]);
  let best: string | null = null;
  let bestKey = Infinity;
  for (const id of index < 0 ? [] : frontOf(scan)) {
    const row = rows.get(id);
    const value = row ? comparable(row, index) : null;
    if (!finite(value) || sign * value >= bestKey) continue;
    best = id;
    bestKey = sign * value;
  }
  return best;
}

// Another ranking than the scan's own ---------------------------------------------------

/** The number that ranks a row, made of a metric that it reported. */
function reduced({ metrics }: Row, { metric, reduction }: ObjectiveInfo): Row["value"] {
  const found = Object.hasOwn(metrics, metric) ? metrics[metric] : undefined;
  return found?.[reduction] ?? null;
}

/** A row with the value that it has in another objective than the scan's own. */
export function rankedRow(row: Row, objective: ObjectiveInfo): Row {
  const ranked = { ...row, value: reduced(row, objective) };
  delete ranked.values;
  return ranked;
}

/** The head of a scan whose rows are ranked by another objective: its best variant is another. */
export function rankedScan(
  scan: ScanInfo,
  rows: Iterable<Row>,
  objective: ObjectiveInfo,
): ScanInfo {
  const sign = signOf(objective);
  let best: Row | null = null;
  let bestKey: number | null = null;
  for (const row of rows) {
    const value = row.state === "done" ? toNumber(row.value) : null;
    if (value === null || Number.isNaN(value)) continue;
    if (bestKey !== null && sign * value >= bestKey) continue;
    best = row;
    bestKey = sign * value;
  }
  const found = { best: best?.id ?? null, best_value: best?.value ?? null };
  const ranked = { ...scan, objective, ...found };
  delete ranked.objectives;
  delete ranked.pareto;
  return ranked;
}

/** So many metrics can be chosen. */
const MOST_METRICS = 24;
const DIRECTIONS: readonly ObjectiveInfo["direction"][] = ["maximize", "minimize"];

/**
 * The objectives that a user may choose: each metric, the scan's own first, in both directions.
 *
 * A metric that the scan ranks by is reduced as there, in the direction that it has there.
 */
export function offeredObjectives(scan: ScanInfo, metrics: Iterable<string>): ObjectiveInfo[] {
  const own = objectivesOf(scan);
  const names = new Set([...own.map(({ metric }) => metric), ...metrics]);
  return [...names].slice(0, MOST_METRICS).flatMap((metric) => {
    const first = own.find((objective) => objective.metric === metric)?.direction ?? "maximize";
    const directions = first === "maximize" ? DIRECTIONS : [...DIRECTIONS].reverse();
    return directions.map((direction): ObjectiveInfo => {
      const same = own.find((one) => one.metric === metric && one.direction === direction);
      return same ?? { metric, direction, reduction: "last" };
    });
  });
}
