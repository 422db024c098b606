/** Copying: a path to the clipboard, rows as a table of full values. */
import type { Row } from "../../wire";
import type { Column } from "../table/columns";
import { MISSING, own, paramText, toNumber } from "./format";

export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

function value(row: Row, column: Column): string {
  switch (column.kind) {
    case "id":
      return row.id;
    case "state":
      return row.state;
    case "param":
      return paramText(own(row.params, column.name));
    case "epoch":
      return String(row.step ?? MISSING);
    case "objective":
      return String(toNumber(row.value) ?? MISSING);
    case "metric":
      return String(toNumber(own(row.metrics, column.name)?.last) ?? MISSING);
    case "where":
      return row.where ?? MISSING;
    case "gpu":
      return row.gpu ?? MISSING;
    default:
      return "";
  }
}

const COPIED = new Set(["id", "state", "param", "epoch", "objective", "metric", "where", "gpu"]);

const cell = (text: string): string => text.replace(/[\t\r\n]+/g, " ");

/** Tab-separated, with full values, as spreadsheets take it. */
export function table(rows: readonly Row[], columns: readonly Column[]): string {
  const shown = columns.filter((column) => COPIED.has(column.kind));
  const head = shown.map((column) => cell(column.label)).join("\t");
  return [
    head,
    ...rows.map((row) => shown.map((column) => cell(value(row, column))).join("\t")),
  ].join("\n");
}
