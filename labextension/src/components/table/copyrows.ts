/** Rows as text for the clipboard. */
import type { Row } from "../../wire";
import { objectiveValue } from "../scan/rows";
import { paramText, toNumber } from "../scan/values";
import { MISSING } from "../ui/numbers";
import { own } from "../ui/text";
import type { Column } from "./columns";

/** The full value of a row, for each kind of column that is copied; others show no value. */
const VALUES: Partial<Record<Column["kind"], (row: Row, column: Column) => unknown>> = {
  id: (row) => row.id,
  state: (row) => row.state,
  param: (row, { name }) => paramText(own(row.params, name)),
  epoch: (row) => row.step,
  objective: (row, { index }) => objectiveValue(row, index),
  metric: (row, { name }) => toNumber(own(row.metrics, name)?.last),
  where: (row) => row.where,
  gpu: (row) => row.gpu,
};

/** A tab or a line break in a value would start another cell. */
const cell = (text: string): string => text.replace(/[\t\r\n]+/g, " ");

/** Rows as spreadsheets take them: a head line, tabs between cells, values in full. */
export function rowsAsText(rows: readonly Row[], columns: readonly Column[]): string {
  const shown = columns.filter(({ kind }) => VALUES[kind] !== undefined);
  const value = (row: Row, column: Column): string =>
    cell(String(VALUES[column.kind]?.(row, column) ?? MISSING));
  const head = shown.map(({ label }) => cell(label));
  const lines = rows.map((row) => shown.map((column) => value(row, column)));
  return [head, ...lines].map((cells) => cells.join("\t")).join("\n");
}
