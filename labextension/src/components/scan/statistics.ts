/** What the columns need to know of all rows. It grows with rows and never shrinks. */
import type { Row } from "../../wire";
import { finite, include, newStyle, type NumberStyle } from "../ui/numbers";
import { comparable } from "./rows";
import { paramText, toNumber } from "./values";

export interface ParamStatistics {
  style: NumberStyle;
  numeric: boolean;
  length: number;
  distinct: Set<string>;
}

export class RowStatistics {
  readonly params = new Map<string, ParamStatistics>();
  readonly metrics = new Map<string, NumberStyle>();
  readonly value = newStyle(4);
  steps = 0;
  hasEpochs = false;
  idLength = 5;
  whereLength = 0;
  gpuLength = 0;

  add(row: Row): void {
    for (const [name, value] of Object.entries(row.params)) this.addParam(name, value);
    for (const [name, metric] of Object.entries(row.metrics)) this.addMetric(name, metric.last);
    const value = comparable(row);
    if (value !== null) include(this.value, value);
    this.steps = Math.max(this.steps, row.steps ?? row.step ?? 0);
    this.hasEpochs ||= row.step !== null || row.steps !== null;
    this.idLength = Math.max(this.idLength, row.id.length);
    this.whereLength = Math.max(this.whereLength, row.where?.length ?? 0);
    this.gpuLength = Math.max(this.gpuLength, row.gpu?.length ?? 0);
  }

  private addParam(name: string, value: unknown): void {
    let facts = this.params.get(name);
    if (!facts) {
      facts = { style: newStyle(3), numeric: true, length: 0, distinct: new Set() };
      this.params.set(name, facts);
    }
    if (facts.distinct.size < 64) facts.distinct.add(paramText(value));
    if (typeof value === "number") return include(facts.style, value);
    facts.numeric &&= toNumber(value as never) !== null;
    facts.length = Math.max(facts.length, paramText(value).length);
  }

  private addMetric(name: string, last: Row["value"]): void {
    const style = this.metrics.get(name) ?? newStyle(3);
    this.metrics.set(name, style);
    const value = toNumber(last);
    if (value !== null) include(style, value);
  }
}

/** Length of the % of best bar, from zero; null where it says nothing. */
export function share(value: number | null, best: number | null, maximize: boolean): number | null {
  if (!finite(value) || !finite(best) || best === 0 || value === 0) return null;
  if (value > 0 !== best > 0) return null;
  const ratio = maximize === best > 0 ? value / best : best / value;
  return Math.max(0, Math.min(1, ratio));
}

/** Bars start at zero, so they say nothing when values change sign. */
export const barsMeanSomething = (style: NumberStyle): boolean => style.low >= 0 || style.high <= 0;
