/** The language of the filter box: `adam`, `state:failed`, `lr<1e-3`, `lr=-`, `not word`. */
import type { Row } from "../../wire";
import { isActive, paramText, toNumber } from "../scan/values";
import { MISSING } from "../ui/numbers";
import { own } from "../ui/text";

/** A filter as it was understood. */
export interface Filter {
  /** Whether a row is shown. */
  test(row: Row): boolean;
  /** What is wrong with the text; then no row is shown. */
  hint: string | null;
}

/** The parameters and metrics of a scan, which a filter may name. */
export interface Names {
  params: ReadonlySet<string>;
  metrics: ReadonlySet<string>;
}

type Test = (row: Row) => boolean;
type Reader = (row: Row) => unknown;

/** What else a filter may name. */
const FIELDS: Record<string, Reader> = {
  id: (row) => row.id,
  state: (row) => row.state,
  reason: (row) => `${row.reason ?? ""} ${row.message ?? ""}`,
  message: (row) => row.message,
  site: (row) => row.where,
  where: (row) => row.where,
  gpu: (row) => row.gpu,
  epoch: (row) => row.step,
  value: (row) => toNumber(row.value),
  attempts: (row) => row.attempts,
  point: (row) => row.point,
  repeat: (row) => row.repeat,
};

const COMPARE: Record<string, (a: number, b: number) => boolean> = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "=": (a, b) => a === b,
  "!=": (a, b) => a !== b,
};

/** A filter cannot be understood; the message says why. */
class FilterError extends Error {}

/** Everything in a row that a single word may be found in. */
function searchedText(row: Row): string {
  const params = Object.values(row.params).map(paramText);
  return [row.id, row.state, row.reason ?? "", row.message ?? "", row.where ?? "", row.gpu ?? ""]
    .concat(params)
    .join("\n")
    .toLowerCase();
}

/** Rows are replaced and never changed, so the text of each is made once. */
const texts = new WeakMap<Row, string>();

function textOf(row: Row): string {
  const known = texts.get(row);
  if (known !== undefined) return known;
  const text = searchedText(row);
  texts.set(row, text);
  return text;
}

/** What stands for a parameter that is not active: as the table shows it, and as it is typed. */
const INACTIVE: readonly string[] = [MISSING, "-"];

/** How the value of a name is read from a row. Names of the scan come before ours. */
function reader(name: string, names: Names): Reader {
  if (names.params.has(name)) return (row) => own(row.params, name);
  if (names.metrics.has(name)) return (row) => toNumber(own(row.metrics, name)?.last);
  const field = own(FIELDS, name.toLowerCase());
  if (field) return field;
  throw new FilterError(`no column is called ${name}`);
}

/** The closing quote may be missing, since filters are tried while they are typed. */
const unquote = (text: string): string =>
  text.replace(/^"(.*)"?$/, (_, inner: string) => inner.replace(/"$/, ""));

/** The test of `name:text`. */
function has(name: string, wanted: string, names: Names): Test {
  const read = reader(name, names);
  const needle = unquote(wanted).toLowerCase();
  if (needle === MISSING && names.params.has(name)) return (row) => !isActive(row, name);
  return (row) => {
    const value = read(row);
    return value !== null && value !== undefined && paramText(value).toLowerCase().includes(needle);
  };
}

/** The test of `name=text`; a text can only be equal or not. */
function equal(read: Reader, op: string, wanted: string): Test {
  if (op !== "=" && op !== "!=") throw new FilterError(`${wanted} is not a number`);
  const same = unquote(wanted).toLowerCase();
  return (row) => {
    const value = read(row);
    // A parameter that is not active has no value that could be equal, or another one.
    if (value === undefined) return false;
    return (paramText(value).toLowerCase() === same) === (op === "=");
  };
}

/** The test of `name<value` and its like. */
function compare(name: string, op: string, wanted: string, names: Names): Test {
  const read = reader(name, names);
  if (wanted === "") throw new FilterError(`${name}${op} needs a value`);
  const limit = Number(wanted);
  if (names.params.has(name) && INACTIVE.includes(wanted) && (op === "=" || op === "!="))
    return (row) => isActive(row, name) === (op === "!=");
  const holds = COMPARE[op];
  // What is not a number can only be equal or not: `optimizer=adam`.
  if (Number.isNaN(limit) || !holds) return equal(read, op, wanted);
  return (row) => {
    const value = read(row);
    return typeof value === "number" && holds(value, limit);
  };
}

/** The test of one word of a filter. */
function term(token: string, names: Names): Test {
  const compared = /^([^<>=!:"]+)(<=|>=|!=|==?|<|>)(.*)$/.exec(token);
  if (compared) {
    const [, name = "", op = "", wanted = ""] = compared;
    return compare(name, op === "==" ? "=" : op, wanted, names);
  }
  const named = /^([^:"]+):(.*)$/.exec(token);
  if (named) return has(named[1] ?? "", named[2] ?? "", names);
  const word = unquote(token).toLowerCase();
  return (row) => textOf(row).includes(word);
}

/** Cuts a filter into words. `lr < 1e-3` is one word, and so is what stands in quotes. */
function tokens(text: string): string[] {
  const tight = text.replace(/\s*(<=|>=|!=|==|<|>|=)\s*/g, "$1").replace(/:\s+/g, ":");
  return tight.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? [];
}

/** The tests of all words; `not` turns the next one around. */
function conjunction(words: string[], names: Names): Test[] {
  const tests: Test[] = [];
  let negated = false;
  for (const word of words) {
    if (word.toLowerCase() === "not") {
      negated = !negated;
      continue;
    }
    const test = term(word, names);
    tests.push(negated ? (row) => !test(row) : test);
    negated = false;
  }
  if (negated) throw new FilterError("not needs a word behind it");
  return tests;
}

/** Understands a filter. Each of its words has to hold for a row. */
export function parseFilter(text: string, names: Names): Filter {
  try {
    const tests = conjunction(tokens(text), names);
    return { test: (row) => tests.every((test) => test(row)), hint: null };
  } catch (error) {
    // A mistake of ours must not look like one of the user.
    if (!(error instanceof FilterError)) throw error;
    return { test: () => false, hint: error.message };
  }
}
