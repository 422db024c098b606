/** The filter box: `adam`, `state:failed`, `lr<1e-3`, `not word`. Pure. */
import type { Row } from "../../wire";
import { paramText, toNumber } from "../scan/values";
import { own } from "../ui/text";

export interface Filter {
  test(row: Row): boolean;
  /** Why it matches nothing, in words. */
  hint: string | null;
}

export interface Names {
  params: ReadonlySet<string>;
  metrics: ReadonlySet<string>;
}

type Test = (row: Row) => boolean;
type Reader = (row: Row) => unknown;

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

class Bad extends Error {}

function haystack(row: Row): string {
  const params = Object.values(row.params).map(paramText);
  return [row.id, row.state, row.reason ?? "", row.message ?? "", row.where ?? "", row.gpu ?? ""]
    .concat(params)
    .join("\n")
    .toLowerCase();
}

const texts = new WeakMap<Row, string>();

function textOf(row: Row): string {
  let text = texts.get(row);
  if (text === undefined) texts.set(row, (text = haystack(row)));
  return text;
}

function reader(name: string, names: Names): Reader {
  if (names.params.has(name)) return (row) => own(row.params, name);
  if (names.metrics.has(name)) return (row) => toNumber(own(row.metrics, name)?.last);
  const field = own(FIELDS, name.toLowerCase());
  if (field) return field;
  throw new Bad(`no column is called ${name}`);
}

const unquote = (text: string): string =>
  text.replace(/^"(.*)"?$/, (_, inner: string) => inner.replace(/"$/, ""));

function has(name: string, wanted: string, names: Names): Test {
  const read = reader(name, names);
  const needle = unquote(wanted).toLowerCase();
  return (row) => {
    const value = read(row);
    return value !== null && value !== undefined && paramText(value).toLowerCase().includes(needle);
  };
}

function equal(read: Reader, op: string, wanted: string): Test {
  if (op !== "=" && op !== "!=") throw new Bad(`${wanted} is not a number`);
  const same = unquote(wanted).toLowerCase();
  return (row) => (paramText(read(row)).toLowerCase() === same) === (op === "=");
}

function compare(name: string, op: string, wanted: string, names: Names): Test {
  const read = reader(name, names);
  if (wanted === "") throw new Bad(`${name}${op} needs a value`);
  const limit = Number(wanted);
  const holds = COMPARE[op];
  if (Number.isNaN(limit) || !holds) return equal(read, op, wanted);
  return (row) => {
    const value = read(row);
    return typeof value === "number" && holds(value, limit);
  };
}

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

function tokens(text: string): string[] {
  const tight = text.replace(/\s*(<=|>=|!=|==|<|>|=)\s*/g, "$1").replace(/:\s+/g, ":");
  return tight.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? [];
}

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
  if (negated) throw new Bad("not needs a word behind it");
  return tests;
}

export function parseFilter(text: string, names: Names): Filter {
  try {
    const tests = conjunction(tokens(text), names);
    return { test: (row) => tests.every((test) => test(row)), hint: null };
  } catch (error) {
    if (!(error instanceof Bad)) throw error;
    return { test: () => false, hint: error.message };
  }
}
