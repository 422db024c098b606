/** A row without a value to compare says why, in the place of its values. */
import type { Row, ScanInfo, State } from "../../wire";
import { hasFront, objectivesOf } from "../scan/ranking";
import { objectiveValue } from "../scan/rows";
import { formatAlone } from "../ui/numbers";
import { clip, full, own } from "../ui/text";
import type { ReasonContent } from "./cellcontent";
import type { CellContext } from "./cellcontext";
import type { Column } from "./columns";
import type { Line } from "./lines";

const ENDED_BADLY = new Set<State>(["failed", "lost", "cancelled"]);
const VALUE_KINDS = new Set<Column["kind"]>(["objective", "best", "curve", "metric"]);
/** A reason takes columns beyond the values only until it is so wide, in pixels. */
const ENOUGH = 240;

/** Why a row has no value to compare; null where it has one, or for a group of repeats. */
export function reasonOf(line: Line): string | null {
  if (line.isGroup || line.row.state === "done") return null;
  // Once a running job has a value, the value is shown and not a message.
  if (line.row.state === "running" && hasValue(line.row)) return null;
  return line.row.message ?? line.row.reason;
}

/** Whether a row has a value of an objective. */
const hasValue = ({ value, values }: Row): boolean =>
  (values ?? [value]).some((one) => one !== null);

/** The values of the objectives that a row has; of several with their names. */
function valuesText(row: Row, scan: ScanInfo): string {
  const texts = objectivesOf(scan).map(({ metric }, i) => {
    const value = objectiveValue(row, i);
    if (value === null) return "";
    return hasFront(scan) ? `${clip(metric, 40)} ${formatAlone(value)}` : formatAlone(value);
  });
  return texts.filter(Boolean).join(", ");
}

/** What the cell with the reason says. */
export function reasonContent(line: Line, context: CellContext): ReasonContent {
  const { row } = line;
  const soFar = ENDED_BADLY.has(row.state) ? valuesText(row, context.scan) : "";
  const kept = soFar ? `; value so far ${soFar}` : "";
  const reason = (reasonOf(line) ?? "").replace(/\.$/, "");
  return {
    kind: "why",
    text: clip(reason),
    title: full(reason) + kept,
    cell: row.cell,
    href: context.href(row),
    opens: context.abilities.notebook,
    strong: row.state === "failed" || row.state === "lost",
  };
}

/**
 * The columns that a reason takes, as the index of the first and their number; null if none.
 *
 * These are the columns of the objectives, those of metrics that the row has no value of, and in a
 * narrow table also what stands right of them.
 */
export function reasonSpan(
  line: Line,
  columns: readonly Column[],
): [from: number, count: number] | null {
  if (reasonOf(line) === null) return null;
  const from = columns.findIndex(({ kind }) => VALUE_KINDS.has(kind));
  const first = columns[from];
  if (!first) return null;
  const objectives = new Set(
    columns.filter(({ kind }) => kind === "objective").map(({ name }) => name),
  );
  let count = 0;
  let width = 0;
  for (const column of columns.slice(from)) {
    if (!isFree(column, line, objectives, width)) break;
    count += 1;
    width += column.width;
  }
  return count ? [from, count] : null;
}

function isFree(
  column: Column,
  line: Line,
  objectives: ReadonlySet<string>,
  width: number,
): boolean {
  if (column.kind === "best") return true;
  if (!VALUE_KINDS.has(column.kind)) return width < ENOUGH;
  return objectives.has(column.name) || !own(line.row.metrics, column.name);
}
