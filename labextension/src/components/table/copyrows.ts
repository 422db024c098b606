/** Rows as text. */
import type { Row } from "../../wire";
import { paramText, toNumber } from "../scan/values";
import { MISSING } from "../ui/numbers";
import { own } from "../ui/text";
import type { Column } from "./columns";

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
export function rowsAsText(rows: readonly Row[], columns: readonly Column[]): string {
  const shown = columns.filter((column) => COPIED.has(column.kind));
  const head = shown.map((column) => cell(column.label)).join("\t");
  return [
    head,
    ...rows.map((row) => shown.map((column) => cell(value(row, column))).join("\t")),
  ].join("\n");
}
