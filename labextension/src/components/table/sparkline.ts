/** Sparklines: small curves in cells. Those of one metric share a scale, so that they compare. */
import type { Num, Row } from "../../wire";
import { toNumber } from "../scan/values";
import { finite } from "../ui/numbers";
import { own } from "../ui/text";

/** What all sparklines of one metric share. */
export interface SparkScale {
  low: number;
  high: number;
  /** How many values the longest curve has. */
  most: number;
}

interface Extent {
  low: number;
  high: number;
}

/** The scale is worked out from so many rows at most. */
const MOST_SAMPLED = 400;
/** Curves below and above these quantiles do not stretch the scale. */
const LOW_QUANTILE = 0.05;
const HIGH_QUANTILE = 0.95;

/** Trails are replaced and never changed, so the extent of each is worked out once. */
const extents = new WeakMap<Num[], Extent | null>();

function extentOf(trail: Num[]): Extent | null {
  const known = extents.get(trail);
  if (known !== undefined) return known;
  const numbers = trail.map(toNumber).filter(finite);
  const found = numbers.length ? { low: Math.min(...numbers), high: Math.max(...numbers) } : null;
  extents.set(trail, found);
  return found;
}

function quantile(sorted: number[], fraction: number): number {
  return sorted[Math.round((sorted.length - 1) * fraction)] ?? 0;
}

function sample<T>(items: readonly T[], most: number): T[] {
  const stride = Math.max(1, Math.ceil(items.length / most));
  return stride === 1 ? [...items] : items.filter((_, i) => i % stride === 0);
}

/**
 * The scale of a metric; null where no row has a value of it.
 *
 * A single curve that ran away does not make all others flat. `best`, the best value, is always
 * inside of the scale.
 */
export function sparkScale(
  rows: readonly Row[],
  metric: string,
  best: number | null,
): SparkScale | null {
  const lows: number[] = [];
  const highs: number[] = [];
  let most = 1;
  for (const row of sample(rows, MOST_SAMPLED)) {
    const found = own(row.metrics, metric);
    most = Math.max(most, found?.n ?? 0);
    const extent = found && extentOf(found.trail);
    if (!extent) continue;
    lows.push(extent.low);
    highs.push(extent.high);
  }
  if (lows.length === 0) return null;
  const ascending = (a: number, b: number): number => a - b;
  const low = Math.min(quantile(lows.sort(ascending), LOW_QUANTILE), best ?? Infinity);
  const high = Math.max(quantile(highs.sort(ascending), HIGH_QUANTILE), best ?? -Infinity);
  return { low, high, most };
}

/** The height of a sparkline in pixels. */
export const HEIGHT = 16;
/** Between the curve and the edges, in pixels; the point at its end must not be cut. */
const EDGE = 2;
const POINT_ROOM = 5;

const rounded = (value: number): number => Math.round(value * 10) / 10;

/** Where a value is drawn, in pixels from the top. */
export function heightOf(value: number, scale: SparkScale): number {
  const span = scale.high - scale.low;
  const fraction = span > 0 ? (value - scale.low) / span : 0.5;
  return rounded(HEIGHT - EDGE - Math.max(0, Math.min(1, fraction)) * (HEIGHT - 2 * EDGE));
}

/** What is drawn of a trail. */
export interface Sparkline {
  /** The points of each unbroken segment, as the attribute `points` has them. */
  segments: string[];
  /** The last point that has a value. */
  end: [number, number] | null;
}

/** Draws a trail over so many pixels; a value that is not finite breaks the line. */
export function sparkline(trail: Num[], scale: SparkScale, width: number): Sparkline {
  const step = trail.length > 1 ? (width - POINT_ROOM) / (trail.length - 1) : 0;
  const segments: string[][] = [[]];
  let end: [number, number] | null = null;
  trail.forEach((item, i) => {
    const value = toNumber(item);
    // A training that diverged has gaps, and may come back.
    if (!finite(value)) return void segments.push([]);
    end = [rounded(EDGE + i * step), heightOf(value, scale)];
    segments[segments.length - 1]?.push(end.join(","));
  });
  const drawn = segments.filter((segment) => segment.length > 1);
  return { segments: drawn.map((segment) => segment.join(" ")), end };
}

/** How much of the width the curve of a row takes, so that a running job's curve grows. */
export function reach(row: Row, values: number, scale: SparkScale): number {
  const byEpochs = row.steps && row.step !== null ? row.step / row.steps : null;
  const fraction = byEpochs ?? values / scale.most;
  return Math.max(0.08, Math.min(1, fraction));
}
