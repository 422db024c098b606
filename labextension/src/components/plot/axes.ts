/** Axes with ticks at round numbers. */

/** An axis of values. */
export interface PlotAxis {
  log: boolean;
  ticks: number[];
  /** The place of a value: 0 is the low end of the axis, 1 its high end. */
  at(value: number): number;
  /** The text beside a tick. */
  text(tick: number): string;
}

/** Values that span more than so many powers of ten are drawn on a logarithmic axis. */
const DECADES = 3;

/** The smallest and the largest of some values; null where none is finite. */
export function span(values: Iterable<number>): { low: number; high: number } | null {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? { low, high } : null;
}

/** The smallest step of 1, 2, 3 or 5 times a power of ten that is at least `least`. */
export function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  // Without the tolerance, 0.30000000000000004 would become a step of 0.5.
  const digit = [1, 2, 3, 5, 10].find((one) => one * power >= least * (1 - 1e-9)) ?? 10;
  return digit * power;
}

/** Rounds away what adding steps left behind: 0.30000000000000004 becomes 0.3. */
const rounded = (value: number): number => Number(value.toPrecision(12));

/** Ticks at round numbers that enclose both ends; about `most` steps lie between them. */
export function linearTicks(low: number, high: number, most: number): number[] {
  const step = niceStep((high - low) / most);
  if (!Number.isFinite(step) || step <= 0) return [low, high];
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => rounded((first + i) * step));
}

function tickText(step: number, biggest: number): (tick: number) => string {
  if (biggest >= 1e6 || (step > 0 && step < 1e-4)) {
    return (tick) => {
      if (tick === 0) return "0";
      return Number(tick.toPrecision(3)).toExponential().replace("e+", "e");
    };
  }
  const places = Math.min(10, Math.max(0, -Math.floor(Math.log10(step || 1) + 1e-9)));
  return (tick) => tick.toFixed(places);
}

function linearAxis(low: number, high: number, most: number): PlotAxis {
  const ticks = linearTicks(low, high, most);
  const from = ticks[0] ?? low;
  const to = ticks[ticks.length - 1] ?? high;
  // The difference of the largest numbers there are would be infinite, so halves are subtracted.
  const half = to / 2 - from / 2 || 1;
  const step = (ticks[1] ?? to) - from;
  return {
    log: false,
    ticks,
    at: (value) => (value / 2 - from / 2) / half,
    text: tickText(step, Math.max(Math.abs(from), Math.abs(to))),
  };
}

function logarithmicAxis(low: number, high: number, most: number): PlotAxis {
  const from = Math.floor(Math.log10(low));
  const to = Math.ceil(Math.log10(high));
  const step = Math.ceil((to - from) / most);
  const count = Math.floor((to - from) / step) + 1;
  const ticks = Array.from({ length: count }, (_, i) => rounded(10 ** (from + i * step)));
  const text = (tick: number): string => {
    if (tick >= 1e-3 && tick < 1e5) return String(tick);
    return tick.toExponential().replace("e+", "e");
  };
  return { log: true, ticks, at: (value) => (Math.log10(value) - from) / (to - from), text };
}

/** The axis for some values: logarithmic if all are positive and span more than three decades. */
export function valueAxis(values: Iterable<number>, most = 6): PlotAxis {
  const { low, high } = span(values) ?? { low: 0, high: 1 };
  if (low > 0 && high / low > 10 ** DECADES) return logarithmicAxis(low, high, most);
  if (low < high) return linearAxis(low, high, most);
  // A single value stands in the middle of its axis.
  const around = Math.abs(low) / 10 || 1;
  return linearAxis(low - around, high + around, 2);
}

/** Ticks of epochs: both ends, and round numbers between that are not too near to them. */
export function stepTicks(low: number, high: number, most = 5): number[] {
  if (high <= low) return [low];
  const step = Math.max(1, niceStep((high - low) / most));
  const room = step * 0.6;
  const between = linearTicks(low, high, most).filter(
    (tick) => tick % step === 0 && tick - low >= room && high - tick >= room,
  );
  return [low, ...between, high];
}
