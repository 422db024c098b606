/** Geometry. */
import type { Curve } from "../../wire";
import { toNumber } from "../scan/values";
import type { Room } from "./labels";

export type Kind = "plain" | "opened" | "best";

export interface Series {
  id: string;
  curve: Curve;
  kind: Kind;
}

/** A curve as it is drawn: whole epochs in order, null where the value is not a number. */
export interface Drawn {
  id: string;
  kind: Kind;
  points: [step: number, value: number | null][];
}

export interface PlotArea extends Room {
  left: number;
  x(step: number): number;
  y(value: number): number;
}

const MOST_POINTS = 300;
/** Every so many, and the last. */
function thin<T>(items: T[]): T[] {
  const stride = (items.length - 1) / (MOST_POINTS - 1);
  if (stride <= 1) return items;
  return Array.from({ length: MOST_POINTS }, (_, i) => items[Math.round(i * stride)] as T);
}

export function drawn({ id, kind, curve }: Series): Drawn {
  const { steps, values } = curve;
  const length = Math.min(steps.length, values.length);
  const points: Drawn["points"] = [];
  for (let i = 0; i < length; i += 1) {
    const [step, value] = [steps[i], toNumber(values[i])];
    if (typeof step !== "number" || !Number.isFinite(step)) continue;
    points.push([step, value !== null && Number.isFinite(value) ? value : null]);
  }
  return { id, kind, points: thin(points) };
}

export function lastPoint({ points }: Drawn): [step: number, value: number] | null {
  for (let i = points.length - 1; i >= 0; i -= 1) {
    const [step, value] = points[i] ?? [0, null];
    if (value !== null) return [step, value];
  }
  return null;
}

/** What is not a number breaks the line; a value alone between two such is a dot. */
export function linePaths({ points }: Drawn, { x, y }: Pick<PlotArea, "x" | "y">): string[] {
  const round = (value: number): number => Math.round(value * 10) / 10;
  const runs: string[][] = [[]];
  for (const [step, value] of points) {
    if (value === null) runs.push([]);
    else runs[runs.length - 1]?.push(`${round(x(step))},${round(y(value))}`);
  }
  return runs
    .filter((run) => run.length > 0)
    .map((run) => `M${run.join("L")}${run.length > 1 ? "" : "h0.1"}`);
}
