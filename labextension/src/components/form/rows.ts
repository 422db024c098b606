/**
 * The rows of the form: parameters, conditions, constraints, and parameters that come together.
 *
 * Rows below a condition have a higher level, as lines of a cell are indented.
 */

/** How a parameter varies. */
export type Kind = "fixed" | "list" | "range" | "repeats";
/** All kinds, in the order of the form. */
export const KINDS: readonly Kind[] = ["fixed", "list", "range", "repeats"];

interface AnyRow {
  /** Complaints call the row by this. */
  id: string;
  level: number;
  /** The comment behind its line. */
  note: string;
}

/** What is typed for one parameter. The texts of kinds that are not chosen are kept. */
export interface ParameterChoice extends AnyRow {
  row: "parameter";
  name: string;
  kind: Kind;
  value: string;
  /** The values of a list, with commas between. */
  items: string;
  /** The ends of a range. */
  low: string;
  high: string;
  /** How many points of a range. */
  points: string;
  step: string;
  /** How often a point is repeated. */
  times: string;
  /** The range has so many points, and not any value between its ends. */
  stepped: boolean;
  /** The range has only low, low + step and so on. */
  by_step: boolean;
  log: boolean;
  /** The line is written also where it has the notebook's own value. */
  written: boolean;
  /** The order of a list means something. */
  ordered: boolean;
}

/** A condition or a constraint, or lines of the cell as they are. */
export interface TextRow extends AnyRow {
  row: "if" | "elif" | "else" | "assert" | "text";
  text: string;
  /** The parameters that lines give values to. */
  names: string[];
}

/** Parameters that take their values together, row by row. */
export interface TogetherRow extends AnyRow {
  row: "together";
  names: string[];
  /** The values, with one in each row for each name. */
  cells: string[][];
}

/** One row of the form. */
export type Row = ParameterChoice | TextRow | TogetherRow;
/** A row with others below it. */
export const isHeader = (row: Row): boolean =>
  row.row === "if" || row.row === "elif" || row.row === "else";
/** A further branch of the condition above. */
export const isBranch = (row: Row): boolean => row.row === "elif" || row.row === "else";

/** The parameters that a row gives values to. */
export function given(row: Row): readonly string[] {
  return row.row === "parameter" ? [row.name] : row.names;
}

/** The index behind a row and all that belongs to it: to an `if` belong its branches. */
export function blockEnd(rows: readonly Row[], start: number): number {
  const first = rows[start];
  if (!first) return start;
  const inBlock = (row: Row): boolean =>
    row.level > first.level || (first.row === "if" && row.level === first.level && isBranch(row));
  let end = start + 1;
  for (let row = rows[end]; row && inBlock(row); row = rows[end]) end += 1;
  return end;
}

/** The index of the `if` that a branch belongs to; of an `if` itself, its own one. */
export function chainStart(rows: readonly Row[], at: number, level = rows[at]?.level ?? 0): number {
  let start = at;
  while (start > 0 && !(rows[start]?.row === "if" && rows[start]?.level === level)) start -= 1;
  return start;
}

/**
 * The index of the row of a parameter; -1 where there is none.
 *
 * Several branches may give a parameter: then it is the row in the block of the row at `near`.
 */
export function rowOf(rows: readonly Row[], name: string, near: number): number {
  const found = rows.flatMap((row, at) =>
    row.row === "parameter" && row.name === name ? [at] : [],
  );
  const level = rows[near]?.level ?? 0;
  const beside = (at: number): boolean =>
    rows[at]?.level === level &&
    rows.slice(Math.min(at, near), Math.max(at, near)).every((row) => row.level >= level);
  return found.find(beside) ?? found[0] ?? -1;
}

function shift(rows: Row[], start: number, end: number, levels: number): void {
  for (const row of rows.slice(start, end)) row.level = Math.max(0, row.level + levels);
}

/** Takes the rows from `start` to `end` out, and puts them in before what is now at `to`. */
function carry(rows: Row[], start: number, end: number, to: number): void {
  const taken = rows.splice(start, end - start);
  rows.splice(to > start ? to - taken.length : to, 0, ...taken);
}

/**
 * Moves a row, with all that belongs to it, to the next place above; returns whether it moved.
 *
 * Each place in a block and behind it is one of its own.
 */
export function moveUp(rows: Row[], at: number): boolean {
  const [row, above] = [rows[at], rows[at - 1]];
  if (!row || !above) return false;
  const end = blockEnd(rows, at);
  if (above.level > row.level || (isHeader(above) && above.level === row.level)) {
    shift(rows, at, end, 1); // to the end of the block above
  } else {
    // Out of a condition, into the branch before, or above the row before.
    if (above.row === "if" && above.level < row.level) shift(rows, at, end, -1);
    carry(rows, at, end, at - 1);
  }
  return true;
}

/** Moves a row to the next place below. */
export function moveDown(rows: Row[], at: number): boolean {
  const row = rows[at];
  if (!row) return false;
  const end = blockEnd(rows, at);
  const below = rows[end];
  if (!below || below.level < row.level) {
    if (below && isBranch(below) && below.level === row.level - 1) carry(rows, at, end, end + 1);
    else if (row.level > 0) shift(rows, at, end, -1);
    else return false;
  } else {
    if (below.row === "if") shift(rows, at, end, 1); // it becomes the first of that block
    carry(rows, at, end, end + 1);
  }
  return true;
}

/** Puts a new row in before the one at `at`, or after all. */
export const insert = (rows: Row[], at: number, row: Row): void => void rows.splice(at, 0, row);

/** Puts a new condition above a row, which then depends on it. */
export function putUnder(rows: Row[], at: number, condition: TextRow): void {
  shift(rows, at, blockEnd(rows, at), 1);
  insert(rows, at, condition);
}

/** Adds a branch to a condition: below the branch of the row at `at`. */
export function addBranch(rows: Row[], at: number, branch: TextRow): void {
  let end = at + 1;
  const level = rows[at]?.level ?? 0;
  while ((rows[end]?.level ?? -1) > level) end += 1;
  insert(rows, end, { ...branch, level });
}

/**
 * Puts a parameter to the end of the branch below the header at `at`.
 *
 * Where another branch of the same condition gives it, it gets a row here, too: `fresh`.
 */
export function addTo(rows: Row[], at: number, name: string, fresh: () => ParameterChoice): void {
  const header = rows[at];
  if (!header) return;
  const start = chainStart(rows, at);
  const from = rows.findIndex((row) => row.row === "parameter" && row.name === name);
  const inChain = from > start && from < blockEnd(rows, start);
  const known = from >= 0 && !inChain ? rows.splice(from, 1)[0] : undefined;
  const row = known ?? fresh();
  row.level = header.level + 1;
  let end = rows.indexOf(header) + 1;
  while ((rows[end]?.level ?? -1) > header.level) end += 1;
  insert(rows, end, row);
}

/**
 * Removes a row. What stands below a condition stays, and every parameter keeps a row: `fresh`
 * makes one for a parameter that no row gives any more.
 */
export function remove(rows: Row[], at: number, fresh: (name: string) => ParameterChoice): void {
  const row = rows[at];
  if (!row) return;
  if (row.row === "if") {
    const block = rows.splice(at, blockEnd(rows, at) - at);
    const kept = block.filter((one) => one.level > row.level);
    shift(kept, 0, kept.length, -1);
    rows.splice(at, 0, ...kept);
  } else if (isBranch(row)) {
    // Its rows go with it: in the branch above, they would count for another condition.
    let end = at + 1;
    while ((rows[end]?.level ?? -1) > row.level) end += 1;
    const gone = rows.splice(at, end - at);
    const behind = blockEnd(rows, chainStart(rows, at - 1, row.level));
    restore(rows, behind, row.level, givenBy(gone), fresh);
  } else {
    rows.splice(at, 1);
    restore(rows, at, row.level, given(row), fresh);
  }
  withoutTwice(rows, at);
}

const givenBy = (rows: readonly Row[]): string[] => rows.flatMap((row) => [...given(row)]);

/** Puts in a row for each of the names that none gives. */
function restore(
  rows: Row[],
  at: number,
  level: number,
  names: readonly string[],
  fresh: (name: string) => ParameterChoice,
): void {
  const known = new Set(givenBy(rows));
  const lost = names.filter((name) => !known.has(name));
  rows.splice(at, 0, ...lost.map((name) => ({ ...fresh(name), level })));
}

/** Removes rows of parameters that stand there twice since their conditions are gone. */
function withoutTwice(rows: Row[], at: number): void {
  const level = rows[at]?.level ?? 0;
  const known = new Set<string>();
  for (let index = at; index < rows.length;) {
    const row = rows[index];
    if (!row || row.level < level) break;
    const twice = row.row === "parameter" && row.level === level && known.has(row.name);
    if (row.row === "parameter" && row.level === level) known.add(row.name);
    if (twice) rows.splice(index, 1);
    else index += 1;
  }
}
