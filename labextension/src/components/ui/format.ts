/** Numbers, times and texts as the table writes them. Pure. */
import type { Num } from "../../wire";

export const MISSING = "–";

/** How one column of numbers is written. It only ever widens, so that columns keep still. */
export interface Style {
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

export function newStyle(digits: number): Style {
  const empty = { count: 0, whole: true, sci: false, decimals: 0, integers: 1 };
  return { digits, ...empty, low: Infinity, high: -Infinity, smallest: Infinity };
}

/** Own properties only: names come from jobs, and `__proto__` is a name. */
export function own<T>(record: Record<string, T> | null | undefined, name: string): T | undefined {
  return record && Object.hasOwn(record, name) ? record[name] : undefined;
}

export function toNumber(value: Num | null | undefined): number | null {
  if (typeof value === "number") return value;
  if (value === "NaN") return NaN;
  if (value === "Infinity") return Infinity;
  return value === "-Infinity" ? -Infinity : null;
}

export function clip(text: string, most = 200): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

export const full = (text: string): string => clip(text, 1000);

/** Places after the point that give `digits` significant ones. */
function places(value: number, digits: number): number {
  const rounded = Math.abs(Number(value.toPrecision(digits)));
  if (rounded === 0) return 0;
  return Math.max(0, digits - 1 - Math.floor(Math.log10(rounded) + 1e-12));
}

export function observe(style: Style, value: number): void {
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

function widen(style: Style, value: number): void {
  style.low = Math.min(style.low, value);
  style.high = Math.max(style.high, value);
  if (Math.abs(value) >= 1e6) style.sci = true;
  const length = Math.trunc(value).toString().length + +(value < 0);
  style.integers = Math.max(style.integers, length);
}

/** Characters the widest number of the column takes. */
export function styleLength(style: Style): number {
  if (style.whole) return style.integers;
  if (style.sci) return style.digits + 5;
  return style.integers + 1 + style.decimals;
}

function special(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  return value > 0 ? "inf" : "-inf";
}

export function formatNumber(value: number, style: Style): string {
  if (!Number.isFinite(value)) return special(value);
  if (value === 0) return "0";
  if (style.whole && Number.isInteger(value)) return String(value);
  if (style.sci) return value.toExponential(style.digits - 1).replace("e+", "e");
  return value.toFixed(places(value, style.digits));
}

/** Characters to leave free on the right so that the decimal points line up. */
export function pad(text: string, style: Style): number {
  if (style.whole || style.sci || !/^-?\d/.test(text)) return 0;
  const point = text.indexOf(".");
  return point < 0
    ? style.decimals + +(style.decimals > 0)
    : style.decimals - (text.length - point - 1);
}

export const alone = (value: number, digits = 4): string => {
  const style = newStyle(digits);
  observe(style, value);
  return formatNumber(value, style);
};

/** A value of the objective by itself: four digits, also where it happens to be whole. */
export const valueText = (value: number): string => {
  const style = { ...newStyle(4), whole: false };
  observe(style, value);
  return formatNumber(value, style);
};

function list(value: unknown): string {
  try {
    const text = JSON.stringify(value, null, 1) ?? String(value);
    return text
      .replace(/([[{])\n\s*/g, "$1")
      .replace(/\n\s*(?=[\]}])/g, "")
      .replace(/\n\s*/g, " ");
  } catch {
    return String(value);
  }
}

/** A parameter as the cell would write it. */
export function paramText(value: unknown): string {
  if (value === undefined) return MISSING;
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  return typeof value === "object" ? list(value) : String(value);
}

export function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function sigma(values: number[]): number {
  const middle = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1));
}

/** `168.4 ± 1.2 (3)`: sigma to two digits, the value to the same place. */
export function plusMinus(values: number[]): string {
  if (values.length === 0) return MISSING;
  const middle = mean(values);
  const spread = values.length > 1 ? sigma(values) : 0;
  if (!Number.isFinite(spread)) return `${special(middle)} (${values.length})`;
  if (spread === 0) return `${alone(middle)}${values.length > 1 ? " ± 0" : ""} (${values.length})`;
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

const two = (value: number): string => String(value).padStart(2, "0");

/** `40 s`, `24 min`, `1 h 04 min`, `2 d 3 h`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [minutes, hours] = [Math.floor(whole / 60), Math.floor(whole / 3600)];
  if (whole < 60) return `${whole} s`;
  if (minutes < 60) return `${minutes} min`;
  if (hours < 24) return `${hours} h ${two(minutes % 60)} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** For estimates: from an hour on to ten minutes. `2 h`, `1 h 10 min`. */
export function roughly(seconds: number): string {
  if (seconds < 3600 || seconds >= 86_400) return duration(seconds);
  const minutes = Math.round(seconds / 600) * 10;
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return rest ? `${hours} h ${rest} min` : `${hours} h`;
}

export function gpuHours(seconds: number): string {
  const hours = seconds / 3600;
  return `${hours.toFixed(hours < 10 ? 2 : 1)} GPU-h`;
}

export function clock(unix: number): string {
  const date = new Date(unix * 1000);
  return `${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** Age of what is shown; old or cut off, it says as of when. */
export function freshness(received: number, now: number, closed: boolean): string {
  const age = now - received;
  if (closed || age > 600) return `as of ${clock(received)}`;
  return age < 5 ? "updated now" : `updated ${duration(age)} ago`;
}

export function plural(count: number, word: string, words = `${word}s`): string {
  return `${count} ${count === 1 ? word : words}`;
}

// eslint-disable-next-line no-control-regex
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f]/g;

function lastState(line: string): string {
  const parts = line.replace(/\r+$/, "").split("\r");
  return (parts[parts.length - 1] ?? "").replace(CONTROLS, "");
}

/** A log without terminal codes; of a line written over again, only its last state. */
export function cleanLog(text: string, most = 200_000): string {
  const end = text.length > most ? text.slice(-most) : text;
  return end.replace(ESCAPES, "").split("\n").map(lastState).join("\n");
}
