/** What each cell says, as data; paintcell.ts makes elements of it. */
import type { Row, ScanInfo, State } from "../../wire";
import { webPage } from "../scan/paths";
import { hasFront } from "../scan/ranking";
import { comparable, elapsed } from "../scan/rows";
import { FRONT_MEANS, ON_FRONT } from "../scan/sentences";
import { share } from "../scan/statistics";
import { isActive, NOT_ACTIVE, paramText, toNumber } from "../scan/values";
import {
  finite,
  formatNumber,
  mean,
  MISSING,
  newStyle,
  type NumberStyle,
  padding,
  plusMinus,
} from "../ui/numbers";
import { clip, full, own } from "../ui/text";
import { duration } from "../ui/times";
import type { CellContext } from "./cellcontext";
import type { Column } from "./columns";
import { isBest, type Line, stateOf, values } from "./lines";
import { heightOf, reach, type Sparkline, sparkline } from "./sparkline";

/** A text in a cell. */
export interface TextContent {
  kind: "text";
  text: string;
  title: string;
  quiet: boolean;
  code: boolean;
  /** Characters to leave free on the right, so that decimal points line up. */
  pad: number;
  strong: boolean;
}

/** The name of a variant, or of a group of repeats. */
export interface IdContent {
  kind: "id";
  text: string;
  /** The words of its mark; null where it has none. */
  mark: string | null;
  /** Whether the group is open; null for a row. */
  fold: "open" | "closed" | null;
  depth: number;
  /** The name leads to the view of the job. */
  leads: boolean;
  title: string;
}

/** The reason why a row has no value to compare. */
export interface ReasonContent {
  kind: "why";
  text: string;
  title: string;
  /** The number of the notebook's cell that failed. */
  cell: number | null;
  href: string | null;
  /** The host opens the notebook. */
  opens: boolean;
  strong: boolean;
}

/** What one cell says. */
export type CellContent =
  | TextContent
  | IdContent
  | ReasonContent
  | { kind: "check"; on: boolean; label: string }
  | { kind: "state"; state: State; text: string; title: string }
  | { kind: "place"; text: string; title: string; href: string | null }
  | { kind: "epoch"; at: number; of: number | null; share: number | null }
  | { kind: "bar"; share: number | null; live: boolean }
  | {
      kind: "curve";
      curves: Sparkline[];
      width: number;
      /** Where the line of the best value is, in pixels from the top. */
      guide: number | null;
      tone: "best" | "live" | "grey";
    };

/** The space between a sparkline and the edges of its cell, in pixels. */
const CELL_PADDING = 12;

function text(value: string, more: Partial<TextContent> = {}): TextContent {
  const quiet = value === MISSING;
  const base = { title: "", quiet, code: true, pad: 0, strong: false };
  return { ...base, kind: "text", text: clip(value), ...more };
}

function number(value: number, style: NumberStyle, more: Partial<TextContent> = {}): TextContent {
  const shown = formatNumber(value, style);
  return text(shown, { pad: padding(shown, style), title: String(value), ...more });
}

/** What the star of a line means. */
const markText = (scan: ScanInfo): string => (hasFront(scan) ? ON_FRONT : "best");

function check(line: Line, context: CellContext): CellContent {
  const on = line.rows.every((row) => context.selected.has(row.id));
  return { kind: "check", on, label: line.key };
}

function id(line: Line, context: CellContext): IdContent {
  const { scan } = context;
  const mark = isBest(line, scan) ? markText(scan) : null;
  const means = mark === ON_FRONT ? FRONT_MEANS : (mark ?? "");
  const open = context.openGroups.has(line.key) ? "open" : "closed";
  const ids = line.rows.map((row) => row.id).join(", ");
  return {
    kind: "id",
    text: clip(line.key, 40),
    mark,
    fold: line.isGroup ? open : null,
    depth: line.depth,
    leads: context.abilities.job && !line.isGroup,
    title: [line.isGroup ? full(ids) : "", means].filter(Boolean).join("; "),
  };
}

function state(line: Line): CellContent {
  const shown = stateOf(line);
  const same = line.rows.filter((row) => row.state === shown).length;
  // `2/3 done`: how many rows of the group are in its state.
  const mixed = line.isGroup && same < line.rows.length;
  const tries = !line.isGroup && line.row.attempts > 1 ? `attempt ${line.row.attempts}` : "";
  const label = mixed ? `${same}/${line.rows.length} ${shown}` : shown;
  return { kind: "state", state: shown, text: label, title: tries };
}

function param(line: Line, column: Column, context: CellContext): CellContent {
  const found = line.rows.map((row) => own(row.params, column.name));
  const [value] = found;
  if (!line.rows.some((row) => isActive(row, column.name)))
    return text(MISSING, { title: NOT_ACTIVE });
  if (line.isGroup && column.name === context.scan.repeats)
    return text(String(found.length), { quiet: true });
  if (found.some((other) => paramText(other) !== paramText(value)))
    return text("…", { quiet: true });
  const style = context.statistics.params.get(column.name)?.style ?? newStyle(3);
  if (typeof value === "number") return number(value, style);
  const shown = paramText(value);
  return text(shown, { title: full(shown) });
}

/** The epochs of all rows of a line, added up. */
function epoch(line: Line): CellContent {
  if (line.rows.every((row) => row.step === null)) return text(MISSING);
  const sum = (pick: (row: Row) => number | null): number =>
    line.rows.reduce((total, row) => total + (pick(row) ?? 0), 0);
  const at = sum((row) => row.step);
  const of = line.rows.every((row) => row.steps) ? sum((row) => row.steps) : null;
  const live = stateOf(line) === "running" && of !== null;
  return { kind: "epoch", at, of, share: live ? Math.min(1, at / (of || 1)) : null };
}

function objective(line: Line, { index }: Column, context: CellContext): CellContent {
  const strong = isBest(line, context.scan);
  if (line.isGroup) return text(plusMinus(values(line, index)), { strong });
  const value = comparable(line.row, index);
  const style = context.statistics.values[index] ?? newStyle(4);
  return value === null ? text(MISSING) : number(value, style, { strong });
}

function bar(line: Line, context: CellContext): CellContent {
  const known = values(line);
  const value = line.isGroup && known.length ? mean(known) : comparable(line.row);
  const maximize = context.scan.objective?.direction === "maximize";
  const live = stateOf(line) === "running";
  return { kind: "bar", share: share(value, context.best, maximize), live };
}

function toneOf(line: Line, context: CellContext): "best" | "live" | "grey" {
  if (isBest(line, context.scan)) return "best";
  return stateOf(line) === "running" ? "live" : "grey";
}

function curve(line: Line, column: Column, context: CellContext): CellContent {
  const scale = context.scale(column.name);
  const width = column.width - CELL_PADDING;
  const drawn: Sparkline[] = [];
  for (const row of line.rows) {
    const metric = own(row.metrics, column.name);
    if (!metric || !scale) continue;
    drawn.push(sparkline(metric.trail, scale, width * reach(row, metric.n, scale)));
  }
  // An empty cell says enough: beside it stands the value, or the reason why there is none.
  if (drawn.length === 0 || !scale) return text("");
  const guided = column.name === context.scan.objective?.metric && finite(context.best);
  const guide = guided ? heightOf(context.best ?? 0, scale) : null;
  return { kind: "curve", curves: drawn, width, guide, tone: toneOf(line, context) };
}

function metric(line: Line, column: Column, context: CellContext): CellContent {
  const last = line.rows.map((row) => toNumber(own(row.metrics, column.name)?.last));
  const known = last.filter((value) => value !== null);
  if (known.length === 0) return text(MISSING);
  const style = context.statistics.metrics.get(column.name) ?? newStyle(3);
  const more = line.isGroup ? { title: `mean of ${known.length}` } : {};
  return number(mean(known), style, more);
}

function time(line: Line, context: CellContext): CellContent {
  const times = line.rows.map((row) => elapsed(row, context.now)).filter(finite);
  return times.length ? text(duration(Math.max(...times)), { quiet: true }) : text(MISSING);
}

/** A site or a GPU; of several, the first one and how many others there are. */
function place(
  line: Line,
  pick: (row: Row) => string | null,
  link: string | null = null,
): CellContent {
  const found = [...new Set(line.rows.map(pick).filter((name) => name !== null))];
  const [first = MISSING] = found;
  const shown = found.length > 1 ? `${clip(first, 40)} +${found.length - 1}` : first;
  // The jobs of a group have one page each, so its cell leads to none.
  const href = found.length && !line.isGroup ? link : null;
  return { kind: "place", text: clip(shown), title: full(found.join(", ")), href };
}

type Describe = (line: Line, column: Column, context: CellContext) => CellContent;

const DESCRIBE: Record<Column["kind"], Describe> = {
  select: (line, _, context) => check(line, context),
  id: (line, _, context) => id(line, context),
  state,
  param,
  epoch,
  objective,
  best: (line, _, context) => bar(line, context),
  curve,
  metric,
  where: (line) => place(line, (row) => row.where, webPage(line.row.link)),
  gpu: (line) => place(line, (row) => row.gpu),
  time: (line, _, context) => time(line, context),
};

/** What the cell of a line says in a column. */
export function cellContent(line: Line, column: Column, context: CellContext): CellContent {
  return DESCRIBE[column.kind](line, column, context);
}
