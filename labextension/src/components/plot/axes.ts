/** Axes with sensible ticks. Pure. */

export interface Axis {
  log: boolean;
  ticks: number[];
  /** From 0 at the low end to 1 at the high end. */
  at(value: number): number;
  text(tick: number): string;
}

const DECADES = 3;
const EMPTY = { low: Infinity, high: -Infinity };

export function span(values: Iterable<number>): { low: number; high: number } | null {
  let { low, high } = EMPTY;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? { low, high } : null;
}

/** 1, 2, 3 or 5 times a power of ten, at least as long as asked. */
export function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  const digit = [1, 2, 3, 5, 10].find((one) => one * power >= least * (1 - 1e-9)) ?? 10;
  return digit * power;
}

const clean = (value: number): number => Number(value.toPrecision(12));

export function linearTicks(low: number, high: number, most: number): number[] {
  const step = niceStep((high - low) / most);
  if (!Number.isFinite(step) || step <= 0) return [low, high];
  const [first, last] = [Math.floor(low / step + 1e-9), Math.ceil(high / step - 1e-9)];
  return Array.from({ length: last - first + 1 }, (_, i) => clean((first + i) * step));
}

function tickText(step: number, biggest: number): (tick: number) => string {
  if (biggest >= 1e6 || (step > 0 && step < 1e-4)) {
    return (tick) =>
      (tick === 0 ? "0" : Number(tick.toPrecision(3)).toExponential()).replace("e+", "e");
  }
  const places = Math.min(10, Math.max(0, -Math.floor(Math.log10(step || 1) + 1e-9)));
  return (tick) => tick.toFixed(places);
}

function linear(low: number, high: number, most: number): Axis {
  const ticks = linearTicks(low, high, most);
  const [from = low, to = high] = [ticks[0], ticks[ticks.length - 1]];
  // Halves, so that the widest numbers there are do not overflow.
  const whole = to / 2 - from / 2 || 1;
  const step = (ticks[1] ?? to) - from;
  return {
    log: false,
    ticks,
    at: (value) => (value / 2 - from / 2) / whole,
    text: tickText(step, Math.max(Math.abs(from), Math.abs(to))),
  };
}

function decades(low: number, high: number, most: number): Axis {
  const [from, to] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const step = Math.ceil((to - from) / most);
  const count = Math.floor((to - from) / step) + 1;
  const ticks = Array.from({ length: count }, (_, i) => clean(10 ** (from + i * step)));
  const text = (tick: number): string =>
    tick >= 1e-3 && tick < 1e5 ? String(tick) : tick.toExponential().replace("e+", "e");
  return { log: true, ticks, at: (value) => (Math.log10(value) - from) / (to - from), text };
}

/** Logarithmic where all values are positive and span more than three decades. */
export function valueAxis(values: Iterable<number>, most = 6): Axis {
  const found = span(values) ?? { low: 0, high: 1 };
  const { low, high } = found;
  if (low > 0 && high / low > 10 ** DECADES) return decades(low, high, most);
  if (low < high) return linear(low, high, most);
  const around = Math.abs(low) / 10 || 1;
  return linear(low - around, high + around, 2);
}

/** Epochs: both ends are named, and round ones between that are not too near to them. */
export function stepTicks(low: number, high: number, most = 5): number[] {
  if (high <= low) return [low];
  const step = Math.max(1, niceStep((high - low) / most));
  const room = step * 0.6;
  const between = linearTicks(low, high, most).filter(
    (tick) => tick % step === 0 && tick - low >= room && high - tick >= room,
  );
  return [low, ...between, high];
}
