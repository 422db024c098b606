import type { Num } from "../../wire";
import { formatNumber, include, MISSING, newStyle } from "../ui/numbers";
/** Values. */

export function toNumber(value: Num | null | undefined): number | null {
  if (typeof value === "number") return value;
  if (value === "NaN") return NaN;
  if (value === "Infinity") return Infinity;
  return value === "-Infinity" ? -Infinity : null;
}

/** A value of the objective by itself: four digits, also where it happens to be whole. */
export const formatValue = (value: number): string => {
  const style = { ...newStyle(4), whole: false };
  include(style, value);
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

export function gpuHours(seconds: number): string {
  const hours = seconds / 3600;
  return `${hours.toFixed(hours < 10 ? 2 : 1)} GPU-h`;
}
