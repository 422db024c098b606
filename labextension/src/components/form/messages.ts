/**
 * What the parameter form and the kernel say to each other.
 *
 * Whatever comes is checked before it is used: a saved notebook may hold anything.
 */

import {
  given,
  isBranch,
  isHeader,
  type Kind,
  KINDS,
  type ParameterChoice,
  type Row,
} from "./rows";

/** One parameter of the notebook. */
export interface Parameter {
  name: string;
  /** Its value in the notebook, as Python writes it. */
  default: string;
  /** The comment beside it in the notebook. */
  comment: string;
  /** The kinds that make sense for it. */
  kinds: readonly Kind[];
  /** Why the other kinds make none. */
  why: string;
  /** What a new row of it holds. */
  start: ParameterChoice;
}

/** One option of a scan. */
export interface ScanOption {
  name: string;
  /** Its word in the cell; complaints call it by this. */
  flag: string;
  label: string;
  /** `several` is a text of several values, with spaces between; `lines` has one in each line. */
  kind: "choice" | "number" | "text" | "several" | "lines" | "flag";
  choices: readonly string[];
  /** The titles of those choices that have one. */
  titles: Readonly<Record<string, string>>;
  /** What stands in its input while that is empty. */
  hint: string;
  help: string;
  /** The title of the group that it is folded away in; empty if it is shown at once. */
  group: string;
  /** Its value where nothing was chosen. */
  usual: string | boolean;
}

/** What a form is made of: the parameters of a notebook and the options of a scan. */
export interface FormContent {
  notebook: string;
  /** Where the kernel keeps scans, and the mark of that folder. */
  home: string;
  mark: string;
  /** The number of the cell with the parameters. */
  cell: number;
  /** How many parameters the form has no room for. */
  more: number;
  parameters: readonly Parameter[];
  /** The names of metrics that the notebook seems to report. */
  metrics: readonly string[];
  /** The options of the search, and those of the place where jobs run. */
  search: readonly ScanOption[];
  where: readonly ScanOption[];
}

/** The inputs of a parameter, by the texts that are typed into them. */
export type InputName = "value" | "items" | "low" | "high" | "points" | "step" | "times";

/** An objective: a direction and a metric. */
export interface Objective {
  direction: "maximize" | "minimize";
  metric: string;
}

/** Everything that is filled in. */
export interface FormState extends Objective {
  /** The rows, from the top to the bottom. */
  parameters: Row[];
  /** Further objectives. */
  others: Objective[];
  options: Record<string, string | boolean>;
}

/** Something that is wrong in the form. */
export interface Complaint {
  /** A row, an option with its dashes, or empty for the whole form. */
  field: string;
  /** The input of the row; empty for none in particular. */
  part: string;
  text: string;
  /** What was probably meant. */
  suggestion: string | null;
}

/** What the kernel makes of the form. */
export interface CheckedForm {
  /** The text of the cell that the form stands for. */
  cell: string;
  /** For each line of the cell but the first, the row that it stands for. */
  lines: readonly string[];
  /** A row has lines that only the cell itself can evaluate. */
  unchecked: boolean;
  /** How many variants there will be; null where that is not known. */
  variants: number | null;
  /** The numbers whose product is the number of variants. */
  factors: readonly number[];
  /** How many points each row that varies has; null for any value of a range. */
  each: Readonly<Record<string, number | null>>;
  /** How many points a full grid would have, and how many without constraints. */
  grid: number | null;
  unconstrained: number | null;
  /** Explanations of values, by rows and options with their dashes. */
  words: Readonly<Record<string, string>>;
  errors: readonly Complaint[];
  /** About the metric. */
  warning: string | null;
  /** What may not be meant, though nothing is wrong. */
  warnings: readonly string[];
}

type Loose = Record<string, unknown>;

/** Of lists and records only so many entries are read. */
const MOST_ENTRIES = 1000;

const record = (value: unknown): Loose =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Loose) : {};

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value.slice(0, MOST_ENTRIES) : [];
}

const records = (value: unknown): Loose[] => list(value).map(record);
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const texts = (value: unknown): string[] =>
  list(value).filter((item): item is string => typeof item === "string");
const integer = (value: unknown): number | null => (Number.isInteger(value) ? Number(value) : null);

function values<T>(value: unknown, read: (item: unknown) => T): Record<string, T> {
  const entries = Object.entries(record(value)).slice(0, MOST_ENTRIES);
  // fromEntries() makes own properties even of a name such as `__proto__`.
  return Object.fromEntries(entries.map(([name, item]) => [name, read(item)]));
}

const asKind = (value: unknown): Kind => KINDS.find((kind) => kind === value) ?? "fixed";

function asParameter(value: Loose): Parameter {
  const given = texts(value["kinds"]);
  const kinds = KINDS.filter((kind) => given.includes(kind));
  return {
    name: text(value["name"]),
    default: text(value["default"]),
    comment: text(value["comment"]),
    kinds: kinds.length ? kinds : ["fixed"],
    why: text(value["why"]),
    start: asParameterChoice(text(value["name"]), record(value["start"])),
  };
}

function titles(value: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(record(value)).map(([name, one]) => [name, text(one)]));
}

function asOption(value: Loose): ScanOption {
  const kind = (["choice", "number", "several", "lines", "flag"] as const).find(
    (one) => one === value["kind"],
  );
  return {
    name: text(value["name"]),
    flag: text(value["flag"]),
    label: text(value["label"]),
    kind: kind ?? "text",
    choices: texts(value["choices"]),
    titles: titles(value["titles"]),
    hint: text(value["hint"]),
    help: text(value["help"]),
    group: text(value["group"]),
    usual: value["usual"] === true || text(value["usual"]),
  };
}

/** What a form is made of; whatever is missing or of another type is left empty. */
export function asFormContent(value: unknown): FormContent {
  const content = record(value);
  return {
    notebook: text(content["notebook"]),
    home: text(content["home"]),
    mark: text(content["mark"]),
    cell: integer(content["cell"]) ?? 0,
    more: integer(content["more"]) ?? 0,
    parameters: records(content["parameters"]).map(asParameter),
    metrics: texts(content["metrics"]),
    search: records(content["search"]).map(asOption),
    where: records(content["where"]).map(asOption),
  };
}

/** The levels of conditions, and the rows and columns of a table, that the form draws at most. */
const MOST_LEVELS = 21;
const MOST_CELLS = 200;

const anyRow = (row: Loose): { id: string; level: number; note: string } => ({
  id: text(row["id"]) || text(row["name"]),
  level: Math.min(Math.max(integer(row["level"]) ?? 0, 0), MOST_LEVELS),
  note: text(row["note"]),
});

function asParameterChoice(name: string, choice: Loose): ParameterChoice {
  return {
    ...anyRow({ ...choice, name }),
    row: "parameter",
    name,
    kind: asKind(choice["kind"]),
    value: text(choice["value"]),
    items: text(choice["items"]),
    low: text(choice["low"]),
    high: text(choice["high"]),
    points: text(choice["points"]),
    step: text(choice["step"]),
    times: text(choice["times"]),
    stepped: choice["stepped"] !== false,
    by_step: choice["by_step"] === true,
    log: choice["log"] === true,
    ordered: choice["ordered"] === true,
    written: choice["written"] === true,
  };
}

const TEXT_ROWS = ["if", "elif", "else", "assert", "text"] as const;

/** One row; of parameters that come together, those are left out that the notebook has not. */
function asRow(row: Loose, known: ReadonlyMap<string, Parameter>): Row {
  const kind = TEXT_ROWS.find((one) => one === row["row"]);
  const names = texts(row["names"]);
  if (kind) return { ...anyRow(row), row: kind, text: text(row["text"]), names };
  if (row["row"] !== "together") return asParameterChoice(text(row["name"]), row);
  const places = names.map((_, place) => place).filter((place) => known.has(names[place] ?? ""));
  const cells = list(row["cells"])
    .slice(0, MOST_CELLS)
    .map((line) => places.map((place) => text(list(line)[place])));
  return { ...anyRow(row), row: "together", names: names.filter((one) => known.has(one)), cells };
}

/** Rows whose levels make sense: a row is deeper than the one above only below a header. */
function settled(rows: Row[]): Row[] {
  let above: Row | undefined;
  for (const row of rows) {
    const highest = above ? above.level + (isHeader(above) ? 1 : 0) : 0;
    row.level = Math.min(row.level, highest);
    above = row;
  }
  return rows;
}

/** The rows that were filled in, and one for each other parameter of the content. */
function asRows(value: unknown, content: FormContent): Row[] {
  const known = new Map(content.parameters.map((parameter) => [parameter.name, parameter]));
  const rows = settled(records(value).map((row) => asRow(row, known))).filter(
    (row) => row.row !== "parameter" || known.has(row.name),
  );
  const places = new Map(rows.flatMap((row) => given(row).map((name) => [name, row] as const)));
  let before: Row | undefined;
  for (const { name, start } of content.parameters) {
    const row = places.get(name) ?? { ...start };
    if (!places.has(name)) rows.splice(placeBehind(rows, before), 0, row);
    before = row;
  }
  return rows;
}

/** The index behind a row and the conditions around it; 0 behind none. */
function placeBehind(rows: readonly Row[], row: Row | undefined): number {
  if (!row) return 0;
  const at = rows.indexOf(row);
  const next = rows.findIndex((one, i) => i > at && one.level === 0 && !isBranch(one));
  return next < 0 ? rows.length : next;
}

const asObjective = (value: Loose): Objective => ({
  direction: value["direction"] === "minimize" ? "minimize" : "maximize",
  metric: text(value["metric"]),
});

/** What was filled in. */
export function asFormState(value: unknown, content: FormContent): FormState {
  const state = record(value);
  return {
    parameters: asRows(state["parameters"], content),
    ...asObjective(state),
    others: records(state["others"]).map(asObjective),
    options: values(state["options"], (one) => (typeof one === "boolean" ? one : text(one))),
  };
}

function asComplaint(value: Loose): Complaint {
  const suggestion = value["suggestion"];
  return {
    field: text(value["field"]),
    part: text(value["part"]),
    text: text(value["text"]),
    suggestion: typeof suggestion === "string" ? suggestion : null,
  };
}

/** An answer of the kernel; null for a message that is none. */
export function asCheckedForm(value: unknown): CheckedForm | null {
  const checked = record(value);
  if (checked["type"] !== "checked") return null;
  const points = record(checked["points"]);
  return {
    cell: text(checked["cell"]),
    lines: texts(checked["lines"]),
    unchecked: checked["unchecked"] === true,
    variants: integer(checked["variants"]),
    factors: list(points["factors"])
      .map(integer)
      .filter((factor) => factor !== null),
    each: values(points["each"], integer),
    grid: integer(points["grid"]),
    unconstrained: integer(points["unconstrained"]),
    words: values(checked["words"], text),
    errors: records(checked["errors"]).map(asComplaint),
    warning: text(checked["warning"]) || null,
    warnings: texts(checked["warnings"]),
  };
}
