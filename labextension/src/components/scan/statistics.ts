/** What the columns of the table need to know of all rows of a scan. */
import type { Row } from "../../wire";
import { finite, include, newStyle, type NumberStyle } from "../ui/numbers";
import { comparable } from "./rows";
import { paramText, toNumber } from "./values";

/** So many distinct values of a parameter are counted at most. */
const MOST_DISTINCT = 64;

/** What is known of the values of one parameter. */
export interface ParamStatistics {
  style: NumberStyle;
  /** All values so far are numbers. */
  numeric: boolean;
  /** The most characters of a value that is not a number. */
  length: number;
  /** The texts of the values, at most MOST_DISTINCT of them. */
  distinct: Set<string>;
}

/** Statistics of all rows of a scan. They grow with the rows and never shrink. */
export class RowStatistics {
  readonly params = new Map<string, ParamStatistics>();
  readonly metrics = new Map<string, NumberStyle>();
  /** The values of each objective. */
  readonly values: NumberStyle[] = [newStyle(4)];
  /** The most epochs that a variant has or will have. */
  steps = 0;
  hasEpochs = false;
  /** The most characters of an id, of a site and of a GPU. */
  idLength = 5;
  whereLength = 0;
  gpuLength = 0;

  add(row: Row): void {
    for (const [name, value] of Object.entries(row.params)) this.addParam(name, value);
    for (const [name, metric] of Object.entries(row.metrics)) this.addMetric(name, metric.last);
    this.addValues(row);
    this.steps = Math.max(this.steps, row.steps ?? row.step ?? 0);
    this.hasEpochs ||= row.step !== null || row.steps !== null;
    this.idLength = Math.max(this.idLength, row.id.length);
    this.whereLength = Math.max(this.whereLength, row.where?.length ?? 0);
    this.gpuLength = Math.max(this.gpuLength, row.gpu?.length ?? 0);
  }

  private addParam(name: string, value: unknown): void {
    let known = this.params.get(name);
    if (!known) {
      known = { style: newStyle(3), numeric: true, length: 0, distinct: new Set() };
      this.params.set(name, known);
    }
    if (known.distinct.size < MOST_DISTINCT) known.distinct.add(paramText(value));
    // Numbers are written by the style of the column; only other values have a length of their own.
    if (typeof value === "number") return include(known.style, value);
    // NaN and infinities come as texts, and they are numbers too.
    known.numeric &&= toNumber(value as never) !== null;
    known.length = Math.max(known.length, paramText(value).length);
  }

  private addValues(row: Row): void {
    const many = row.values?.length ?? 1;
    for (let i = 0; i < many; i += 1) {
      const style = (this.values[i] ??= newStyle(4));
      const value = comparable(row, i);
      if (value !== null) include(style, value);
    }
  }

  private addMetric(name: string, last: Row["value"]): void {
    const style = this.metrics.get(name) ?? newStyle(3);
    this.metrics.set(name, style);
    const value = toNumber(last);
    if (value !== null) include(style, value);
  }
}

/**
 * The length of the bar '% of best', from 0 to 1; null where a bar would say nothing.
 *
 * A bar is a ratio, so it needs two values of one sign. It is short where the value is worse: for
 * an objective that is minimized the best value is the numerator.
 */
export function share(value: number | null, best: number | null, maximize: boolean): number | null {
  if (!finite(value) || !finite(best) || best === 0 || value === 0) return null;
  if (value > 0 !== best > 0) return null;
  const ratio = maximize === best > 0 ? value / best : best / value;
  return Math.max(0, Math.min(1, ratio));
}

/** Whether bars compare values: they start at zero, so no value may be on the other side of it. */
export const barsMeanSomething = (style: NumberStyle): boolean => style.low >= 0 || style.high <= 0;
