/** Numbers as texts: alone, in a column, and as a mean with its spread. */

/** What stands in the place of a value that is not there. */
export const MISSING = "–";

/**
 * How the numbers of one column are written.
 *
 * A style only ever widens: a column whose numbers lost digits when a row changed would jump.
 */
export interface NumberStyle {
  /** Significant digits. */
  digits: number;
  /** How many numbers the style has seen. */
  count: number;
  /** All numbers so far were integers. */
  whole: boolean;
  /** Numbers are so small or so large that all are written with an exponent. */
  sci: boolean;
  /** The most places after the decimal point. */
  decimals: number;
  /** The most characters before the decimal point, a minus sign included. */
  integers: number;
  low: number;
  high: number;
  /** The smallest absolute value but zero: it has the most decimals. */
  smallest: number;
}

/** A style that has seen no number yet. */
export function newStyle(digits: number): NumberStyle {
  const empty = { count: 0, whole: true, sci: false, decimals: 0, integers: 1 };
  return { digits, ...empty, low: Infinity, high: -Infinity, smallest: Infinity };
}

/** How many places after the decimal point give a value so many significant digits. */
function places(value: number, digits: number): number {
  const rounded = Math.abs(Number(value.toPrecision(digits)));
  if (rounded === 0) return 0;
  // The logarithm of 1000 may come out as 2.9999999999999996.
  return Math.max(0, digits - 1 - Math.floor(Math.log10(rounded) + 1e-12));
}

/** Widens a style so that it holds a value; NaN and infinities change nothing. */
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
  const sign = Number(value < 0);
  style.integers = Math.max(style.integers, Math.trunc(value).toString().length + sign);
}

/** How many characters the widest number of a column takes. */
export function styleLength(style: NumberStyle): number {
  if (style.whole) return style.integers;
  if (style.sci) return style.digits + 5;
  return style.integers + 1 + style.decimals;
}

function special(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  return value > 0 ? "inf" : "-inf";
}

/** A number as its column writes it. */
export function formatNumber(value: number, style: NumberStyle): string {
  if (!Number.isFinite(value)) return special(value);
  if (value === 0) return "0";
  if (style.whole && Number.isInteger(value)) return String(value);
  if (style.sci) return value.toExponential(style.digits - 1).replace("e+", "e");
  return value.toFixed(places(value, style.digits));
}

/** How many characters to leave free on the right so that the decimal points line up. */
export function padding(text: string, style: NumberStyle): number {
  if (style.whole || style.sci || !/^-?\d/.test(text)) return 0;
  const point = text.indexOf(".");
  if (point >= 0) return style.decimals - (text.length - point - 1);
  const pointWidth = Number(style.decimals > 0);
  return style.decimals + pointWidth;
}

/** A number outside of any column, with so many significant digits. */
export const formatAlone = (value: number, digits = 4): string => {
  const style = newStyle(digits);
  include(style, value);
  return formatNumber(value, style);
};

/** The arithmetic mean; NaN of no values. */
export function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The standard deviation of a sample, with n - 1 in its denominator. */
export function standardDeviation(values: number[]): number {
  const middle = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1));
}

/**
 * `168.4 ± 1.2 (3)`: the mean, the standard deviation and the number of values.
 *
 * The standard deviation has two digits, and the mean ends at the same place.
 */
export function plusMinus(values: number[]): string {
  if (values.length === 0) return MISSING;
  const middle = mean(values);
  if (values.length === 1) return `${formatAlone(middle)} (1)`;
  const spread = standardDeviation(values);
  if (!Number.isFinite(spread)) return `${special(middle)} (${values.length})`;
  if (spread === 0) return `${formatAlone(middle)} ± 0 (${values.length})`;
  return `${withSpread(middle, spread)} (${values.length})`;
}

function withSpread(middle: number, spread: number): string {
  const size = Math.max(Math.abs(middle), spread);
  const large = size < 1e-4 || size >= 1e6;
  // Both share one exponent: (1.23 ± 0.04)e7.
  const power = large ? Math.floor(Math.log10(size)) : 0;
  const scaledMiddle = middle / 10 ** power;
  const scaledSpread = spread / 10 ** power;
  // toFixed() takes at most 100 places; beyond 20 no number of double precision has any.
  const digits = Math.min(20, places(scaledSpread, 2));
  const text = `${scaledMiddle.toFixed(digits)} ± ${scaledSpread.toFixed(digits)}`;
  return power === 0 ? text : `(${text})e${power}`;
}

/** Whether a value is there and neither NaN nor infinite. */
export function finite(value: number | null): value is number {
  return value !== null && Number.isFinite(value);
}
