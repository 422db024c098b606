/** Sparklines: one scale per metric, so that curves compare. Pure. */
import type { Num, Row } from "../../wire";
import { toNumber } from "../scan/values";
import { finite } from "../ui/numbers";
import { own } from "../ui/text";

export interface Scale {
  low: number;
  high: number;
  /** Values the longest curve has. */
  most: number;
}

interface Extent {
  low: number;
  high: number;
}

const extents = new WeakMap<Num[], Extent | null>();

function extent(trail: Num[]): Extent | null {
  const known = extents.get(trail);
  if (known !== undefined) return known;
  const numbers = trail.map(toNumber).filter(finite);
  const found = numbers.length ? { low: Math.min(...numbers), high: Math.max(...numbers) } : null;
  extents.set(trail, found);
  return found;
}

function quantile(sorted: number[], part: number): number {
  return sorted[Math.round((sorted.length - 1) * part)] ?? 0;
}

function sample<T>(items: readonly T[], most: number): T[] {
  const stride = Math.max(1, Math.ceil(items.length / most));
  return stride === 1 ? [...items] : items.filter((_, i) => i % stride === 0);
}

/** Steady against single runaway curves; `best` is always inside. */
export function curveScale(
  rows: readonly Row[],
  metric: string,
  best: number | null,
): Scale | null {
  const [lows, highs]: [number[], number[]] = [[], []];
  let most = 1;
  for (const row of sample(rows, 400)) {
    const found = own(row.metrics, metric);
    const span = found && extent(found.trail);
    most = Math.max(most, found?.n ?? 0);
    if (span) [lows, highs].forEach((list, i) => list.push(i ? span.high : span.low));
  }
  if (lows.length === 0) return null;
  const number = (a: number, b: number): number => a - b;
  const low = Math.min(quantile(lows.sort(number), 0.05), best ?? Infinity);
  const high = Math.max(quantile(highs.sort(number), 0.95), best ?? -Infinity);
  return { low, high, most };
}

export const HEIGHT = 16;

const round = (value: number): number => Math.round(value * 10) / 10;

export function heightOf(value: number, scale: Scale): number {
  const span = scale.high - scale.low;
  const part = span > 0 ? (value - scale.low) / span : 0.5;
  return round(HEIGHT - 2 - Math.max(0, Math.min(1, part)) * (HEIGHT - 4));
}

export interface Curve {
  /** One list of points per unbroken piece. */
  pieces: string[];
  end: [number, number] | null;
}

/** A trail over a part of the width; what is not finite breaks the line. */
export function curve(trail: Num[], scale: Scale, width: number): Curve {
  const step = trail.length > 1 ? (width - 5) / (trail.length - 1) : 0;
  const pieces: string[][] = [[]];
  let end: [number, number] | null = null;
  trail.forEach((item, i) => {
    const value = toNumber(item);
    if (!finite(value)) return void pieces.push([]);
    end = [round(2 + i * step), heightOf(value, scale)];
    pieces[pieces.length - 1]?.push(end.join(","));
  });
  return {
    pieces: pieces.filter((piece) => piece.length > 1).map((piece) => piece.join(" ")),
    end,
  };
}

/** How far across a row's curve reaches: by its epochs, or by its number of values. */
export function reach(row: Row, n: number, scale: Scale): number {
  const by = row.steps && row.step !== null ? row.step / row.steps : n / scale.most;
  return Math.max(0.08, Math.min(1, by));
}
