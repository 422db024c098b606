/** What each cell says, as data. Pure; `paint.ts` turns it into elements. */
import type { Row, ScanInfo, State } from "../../wire";
import { webPage } from "../scan/paths";
import { comparable, elapsed } from "../scan/rows";
import { type RowStatistics, share } from "../scan/statistics";
import { paramText, toNumber } from "../scan/values";
import type { NumberStyle } from "../ui/numbers";
import {
  finite,
  formatAlone,
  formatNumber,
  mean,
  MISSING,
  newStyle,
  padding,
  plusMinus,
} from "../ui/numbers";
import { clip, full, own } from "../ui/text";
import { duration } from "../ui/times";
import type { Column } from "./columns";
import { type Line, stateOf, values } from "./order";
import { type Curve, curve, heightOf, reach, type Scale } from "./sparkline";

export type CellContent =
  | { kind: "check"; on: boolean; label: string }
  | {
      kind: "id";
      text: string;
      best: boolean;
      fold: "open" | "closed" | null;
      depth: number;
      /** It leads to the job's own view. */
      leads: boolean;
      title: string;
    }
  | { kind: "state"; state: State; text: string; title: string }
  | {
      kind: "text";
      text: string;
      title: string;
      quiet: boolean;
      code: boolean;
      pad: number;
      strong: boolean;
    }
  | { kind: "place"; text: string; title: string; href: string | null }
  | { kind: "epoch"; at: number; of: number | null; share: number | null }
  | { kind: "bar"; share: number | null; live: boolean }
  | {
      kind: "curve";
      curves: Curve[];
      width: number;
      guide: number | null;
      tone: "best" | "live" | "grey";
    }
  | {
      kind: "why";
      text: string;
      title: string;
      cell: number | null;
      href: string | null;
      /** The host opens the notebook. */
      opens: boolean;
      strong: boolean;
    };

export interface CellContext {
  scan: ScanInfo;
  facts: RowStatistics;
  best: number | null;
  now: number;
  selected: ReadonlySet<string>;
  open: ReadonlySet<string>;
  scale(metric: string): Scale | null;
  href(row: Row): string | null;
  can: Abilities;
}

/** What the host and the sender allow. */
export interface Abilities {
  /** The host opens notebooks, finished or not. */
  notebook: boolean;
  /** The host opens a job's own view. */
  job: boolean;
  /** Somebody is there to command. */
  command: boolean;
}

const text = (
  value: string,
  more: Partial<Extract<CellContent, { kind: "text" }>> = {},
): CellContent => ({
  ...{
    kind: "text",
    text: clip(value),
    title: "",
    quiet: value === MISSING,
    code: true,
    pad: 0,
    strong: false,
  },
  ...more,
});

function number(
  value: number,
  style: NumberStyle,
  more: Partial<Extract<CellContent, { kind: "text" }>> = {},
): CellContent {
  const shown = formatNumber(value, style);
  return text(shown, { pad: padding(shown, style), title: String(value), ...more });
}

export const isBest = (line: Line, scan: ScanInfo): boolean =>
  scan.best !== null && line.rows.some((row) => row.id === scan.best);

function id(line: Line, context: CellContext): CellContent {
  const fold = line.fold ? (context.open.has(line.key) ? "open" : "closed") : null;
  const title = line.fold ? full(line.rows.map((row) => row.id).join(", ")) : "";
  return {
    kind: "id",
    text: clip(line.key, 40),
    best: isBest(line, context.scan),
    fold,
    depth: line.depth,
    leads: context.can.job && !line.fold,
    title,
  };
}

function state(line: Line): CellContent {
  const shown = stateOf(line);
  const same = line.rows.filter((row) => row.state === shown).length;
  const tries = !line.fold && line.row.attempts > 1 ? `attempt ${line.row.attempts}` : "";
  const words =
    line.fold && same < line.rows.length ? `${same}/${line.rows.length} ${shown}` : shown;
  return { kind: "state", state: shown, text: words, title: tries };
}

function param(line: Line, column: Column, context: CellContext): CellContent {
  const found = line.rows.map((row) => own(row.params, column.name));
  const [value] = found;
  if (line.fold && column.name === context.scan.repeats)
    return text(String(found.length), { quiet: true });
  if (found.some((other) => paramText(other) !== paramText(value)))
    return text("…", { quiet: true });
  const style = context.facts.params.get(column.name)?.style ?? newStyle(3);
  if (typeof value === "number") return number(value, style);
  const shown = paramText(value);
  return text(shown, { title: full(shown) });
}

function epoch(line: Line): CellContent {
  const steps = line.rows.filter((row) => row.step !== null);
  if (steps.length === 0) return text(MISSING);
  const sum = (pick: (row: Row) => number | null): number =>
    line.rows.reduce((all, row) => all + (pick(row) ?? 0), 0);
  const [at, of] = [
    sum((row) => row.step),
    line.rows.every((row) => row.steps) ? sum((row) => row.steps) : null,
  ];
  const live = stateOf(line) === "running" && of !== null;
  return { kind: "epoch", at, of, share: live ? Math.min(1, at / (of || 1)) : null };
}

function objective(line: Line, context: CellContext): CellContent {
  const strong = isBest(line, context.scan);
  if (line.fold) return text(plusMinus(values(line)), { strong });
  const value = comparable(line.row);
  return value === null ? text(MISSING) : number(value, context.facts.value, { strong });
}

function bar(line: Line, context: CellContext): CellContent {
  const known = values(line);
  const value = line.fold && known.length ? mean(known) : comparable(line.row);
  const maximize = context.scan.objective?.direction === "maximize";
  return {
    kind: "bar",
    share: share(value, context.best, maximize),
    live: stateOf(line) === "running",
  };
}

function curves(line: Line, column: Column, context: CellContext): CellContent {
  const scale = context.scale(column.name);
  const width = column.width - 12;
  const drawn = line.rows.flatMap((row) => {
    const metric = own(row.metrics, column.name);
    return metric && scale ? [curve(metric.trail, scale, width * reach(row, metric.n, scale))] : [];
  });
  if (drawn.length === 0 || !scale) return text("");
  const guided = column.name === context.scan.objective?.metric && finite(context.best);
  const tone = isBest(line, context.scan) ? "best" : stateOf(line) === "running" ? "live" : "grey";
  return {
    kind: "curve",
    curves: drawn,
    width,
    guide: guided ? heightOf(context.best ?? 0, scale) : null,
    tone,
  };
}

function metric(line: Line, column: Column, context: CellContext): CellContent {
  const last = line.rows.map((row) => toNumber(own(row.metrics, column.name)?.last));
  const known = last.filter((value) => value !== null);
  if (known.length === 0) return text(MISSING);
  const style = context.facts.metrics.get(column.name) ?? newStyle(3);
  return number(mean(known), style, line.fold ? { title: `mean of ${known.length}` } : {});
}

function time(line: Line, context: CellContext): CellContent {
  const times = line.rows.map((row) => elapsed(row, context.now)).filter(finite);
  return times.length ? text(duration(Math.max(...times)), { quiet: true }) : text(MISSING);
}

function place(
  line: Line,
  pick: (row: Row) => string | null,
  link: string | null = null,
): CellContent {
  const found = [...new Set(line.rows.map(pick).filter((name) => name !== null))];
  const [first = MISSING] = found;
  const shown = found.length > 1 ? `${clip(first, 40)} +${found.length - 1}` : first;
  const href = found.length && !line.fold ? link : null;
  const title = full(found.join(", "));
  return { kind: "place", text: clip(shown), title, href };
}

/** What one cell says. */
export function cellContent(line: Line, column: Column, context: CellContext): CellContent {
  switch (column.kind) {
    case "select":
      return {
        kind: "check",
        on: line.rows.every((row) => context.selected.has(row.id)),
        label: line.key,
      };
    case "id":
      return id(line, context);
    case "state":
      return state(line);
    case "param":
      return param(line, column, context);
    case "epoch":
      return epoch(line);
    case "objective":
      return objective(line, context);
    case "best":
      return bar(line, context);
    case "curve":
      return curves(line, column, context);
    case "metric":
      return metric(line, column, context);
    case "where":
      return place(line, (row) => row.where, webPage(line.row.link));
    case "gpu":
      return place(line, (row) => row.gpu);
    case "time":
      return time(line, context);
  }
}

const ENDED_BADLY = new Set<State>(["failed", "lost", "cancelled"]);

/** A row without a comparable value says why, in the place of the objective. */
export function reasonOf(line: Line): string | null {
  if (line.fold || line.row.state === "done") return null;
  if (line.row.state === "running" && line.row.value !== null) return null;
  return line.row.message ?? line.row.reason;
}

export function reasonContent(line: Line, context: CellContext): CellContent {
  const { row } = line;
  const value = toNumber(row.value);
  const kept =
    value !== null && ENDED_BADLY.has(row.state) ? `; value so far ${formatAlone(value)}` : "";
  const reason = (reasonOf(line) ?? "").replace(/\.$/, "");
  const strong = row.state === "failed" || row.state === "lost";
  return {
    kind: "why",
    text: clip(reason),
    title: full(reason) + kept,
    cell: row.cell,
    href: context.href(row),
    opens: context.can.notebook,
    strong,
  };
}

const VALUES = new Set(["objective", "best", "curve", "metric"]);
const ENOUGH = 240;

/**
 * The columns a reason may take: the objective's, those of metrics the row has none of,
 * and in a narrow table what stands right of them.
 */
export function reasonSpan(
  line: Line,
  columns: readonly Column[],
): [from: number, count: number] | null {
  if (reasonOf(line) === null) return null;
  const from = columns.findIndex((column) => VALUES.has(column.kind));
  const first = columns[from];
  if (!first) return null;
  const objective = first.kind === "objective" ? first.name : undefined;
  let [count, width] = [0, 0];
  for (const column of columns.slice(from)) {
    const value = VALUES.has(column.kind);
    const free = column.name === objective || !own(line.row.metrics, column.name);
    const takes = column.kind === "best" || (value ? free : width < ENOUGH);
    if (!takes) break;
    [count, width] = [count + 1, width + column.width];
  }
  return count ? [from, count] : null;
}
