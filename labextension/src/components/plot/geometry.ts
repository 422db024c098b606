/** From curves to points and paths in the plot. */
import type { Curve } from "../../wire";
import { toNumber } from "../scan/values";
import { finite } from "../ui/numbers";
import type { Room } from "./labels";

/** How a curve is drawn: grey, as the one of the opened variant, or as the best one. */
export type Kind = "plain" | "opened" | "best";

/** The curve of one variant. */
export interface Series {
  id: string;
  curve: Curve;
  kind: Kind;
}

/** A curve as it is drawn: points in order; the value is null where it is not a finite number. */
export interface DrawnCurve {
  id: string;
  kind: Kind;
  points: [step: number, value: number | null][];
}

/** The part of the picture that curves are drawn in, and the pixels of an epoch and of a value. */
export interface PlotArea extends Room {
  left: number;
  x(step: number): number;
  y(value: number): number;
}

/** More points than this are not told apart in a plot. */
const MOST_POINTS = 300;

/** At most MOST_POINTS of the items, evenly spread; the first and the last are among them. */
function thin<T>(items: T[]): T[] {
  const stride = (items.length - 1) / (MOST_POINTS - 1);
  if (stride <= 1) return items;
  return Array.from({ length: MOST_POINTS }, (_, i) => items[Math.round(i * stride)] as T);
}

/** The points of a curve; steps that are not numbers are left out. */
export function drawnCurve({ id, kind, curve }: Series): DrawnCurve {
  const { steps, values } = curve;
  const points: DrawnCurve["points"] = [];
  // A curve comes from a job, so one of the lists may be shorter than the other.
  for (let i = 0; i < Math.min(steps.length, values.length); i += 1) {
    const step = steps[i];
    const value = toNumber(values[i]);
    if (typeof step !== "number" || !Number.isFinite(step)) continue;
    points.push([step, finite(value) ? value : null]);
  }
  return { id, kind, points: thin(points) };
}

/** The last point that has a value. */
export function lastPoint({ points }: DrawnCurve): [step: number, value: number] | null {
  for (let i = points.length - 1; i >= 0; i -= 1) {
    const [step, value] = points[i] ?? [0, null];
    if (value !== null) return [step, value];
  }
  return null;
}

const rounded = (value: number): number => Math.round(value * 10) / 10;

/**
 * The paths of a curve, as the attribute `d` has them.
 *
 * A value that is not a number breaks the line. One value between two breaks becomes a line of a
 * tenth of a pixel, which the round ends of lines show as a dot.
 */
export function linePaths({ points }: DrawnCurve, { x, y }: Pick<PlotArea, "x" | "y">): string[] {
  const runs: string[][] = [[]];
  for (const [step, value] of points) {
    if (value === null) runs.push([]);
    else runs[runs.length - 1]?.push(`${rounded(x(step))},${rounded(y(value))}`);
  }
  return runs
    .filter((run) => run.length > 0)
    .map((run) => `M${run.join("L")}${run.length > 1 ? "" : "h0.1"}`);
}
