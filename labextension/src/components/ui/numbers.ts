/** Numbers, times and texts as the table writes them. Pure. */

export const MISSING = "–";

/** How one column of numbers is written. It only ever widens, so that columns keep still. */
export interface NumberStyle {
  digits: number;
  count: number;
  whole: boolean;
  sci: boolean;
  decimals: number;
  integers: number;
  low: number;
  high: number;
  /** The smallest size but zero: it has the most decimals. */
  smallest: number;
}

export function newStyle(digits: number): NumberStyle {
  const empty = { count: 0, whole: true, sci: false, decimals: 0, integers: 1 };
  return { digits, ...empty, low: Infinity, high: -Infinity, smallest: Infinity };
}

/** Places after the point that give `digits` significant ones. */
function places(value: number, digits: number): number {
  const rounded = Math.abs(Number(value.toPrecision(digits)));
  if (rounded === 0) return 0;
  return Math.max(0, digits - 1 - Math.floor(Math.log10(rounded) + 1e-12));
}

export function include(style: NumberStyle, value: number): void {
  if (!Number.isFinite(value)) return;
  style.count += 1;
  if (!Number.isInteger(value)) style.whole = false;
  if (value < style.low || value > style.high) widen(style, value);
  const size = Math.abs(value);
  if (size >= style.smallest || size === 0) return;
  style.smallest = size;
  if (size < 1e-4) style.sci = true;
  else style.decimals = Math.max(style.decimals, places(size, style.digits));
}

function widen(style: NumberStyle, value: number): void {
  style.low = Math.min(style.low, value);
  style.high = Math.max(style.high, value);
  if (Math.abs(value) >= 1e6) style.sci = true;
  const length = Math.trunc(value).toString().length + +(value < 0);
  style.integers = Math.max(style.integers, length);
}

/** Characters the widest number of the column takes. */
export function styleLength(style: NumberStyle): number {
  if (style.whole) return style.integers;
  if (style.sci) return style.digits + 5;
  return style.integers + 1 + style.decimals;
}

function special(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  return value > 0 ? "inf" : "-inf";
}

export function formatNumber(value: number, style: NumberStyle): string {
  if (!Number.isFinite(value)) return special(value);
  if (value === 0) return "0";
  if (style.whole && Number.isInteger(value)) return String(value);
  if (style.sci) return value.toExponential(style.digits - 1).replace("e+", "e");
  return value.toFixed(places(value, style.digits));
}

/** Characters to leave free on the right so that the decimal points line up. */
export function padding(text: string, style: NumberStyle): number {
  if (style.whole || style.sci || !/^-?\d/.test(text)) return 0;
  const point = text.indexOf(".");
  return point < 0
    ? style.decimals + +(style.decimals > 0)
    : style.decimals - (text.length - point - 1);
}

export const formatAlone = (value: number, digits = 4): string => {
  const style = newStyle(digits);
  include(style, value);
  return formatNumber(value, style);
};

export function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function standardDeviation(values: number[]): number {
  const middle = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1));
}

/** `168.4 ± 1.2 (3)`: sigma to two digits, the value to the same place. */
export function plusMinus(values: number[]): string {
  if (values.length === 0) return MISSING;
  const middle = mean(values);
  const spread = values.length > 1 ? standardDeviation(values) : 0;
  if (!Number.isFinite(spread)) return `${special(middle)} (${values.length})`;
  if (spread === 0)
    return `${formatAlone(middle)}${values.length > 1 ? " ± 0" : ""} (${values.length})`;
  return `${together(middle, spread)} (${values.length})`;
}

function together(middle: number, spread: number): string {
  const size = Math.max(Math.abs(middle), spread);
  const power = size < 1e-4 || size >= 1e6 ? Math.floor(Math.log10(size)) : 0;
  const [m, s] = [middle / 10 ** power, spread / 10 ** power];
  const digits = Math.min(20, places(s, 2));
  const text = `${m.toFixed(digits)} ± ${s.toFixed(digits)}`;
  return power === 0 ? text : `(${text})e${power}`;
}

export function finite(value: number | null): value is number {
  return value !== null && Number.isFinite(value);
}
