/** Values of parameters and metrics, as they come from Python and as the page writes them. */
import type { Num, Row } from "../../wire";
import { formatNumber, include, MISSING, newStyle } from "../ui/numbers";

const SPECIAL: Record<string, number> = { NaN, Infinity, "-Infinity": -Infinity };

/** The number of a value from Python; JSON has no NaN and no infinities, so these are texts. */
export function toNumber(value: Num | null | undefined): number | null {
  if (typeof value === "number") return value;
  if (typeof value !== "string" || !Object.hasOwn(SPECIAL, value)) return null;
  return SPECIAL[value] ?? null;
}

/** A value of the objective outside of the table: four digits, also where it is a whole number. */
export const formatValue = (value: number): string => {
  const style = { ...newStyle(4), whole: false };
  include(style, value);
  return formatNumber(value, style);
};

/** A list or a dictionary on one line, with a space after each comma. */
function structureText(value: unknown): string {
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

/** The value of a parameter as a Python cell would write it. */
export function paramText(value: unknown): string {
  if (value === undefined) return MISSING;
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  return typeof value === "object" ? structureText(value) : String(value);
}

/** What is said of a parameter that is not active at a point. */
export const NOT_ACTIVE = "not active: the notebook's own value counts";

/** Whether a variant has a value of its own for a parameter. */
export const isActive = (row: Row, name: string): boolean => Object.hasOwn(row.params, name);

/** Seconds of GPUs in hours: `0.25 GPU-h`, `12.5 GPU-h`. */
export function gpuHours(seconds: number): string {
  const hours = seconds / 3600;
  const places = hours < 10 ? 2 : 1;
  return `${hours.toFixed(places)} GPU-h`;
}
