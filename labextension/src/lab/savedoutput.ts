/** Reads what a notebook keeps of a scan. Anybody may have written it, so each part is checked. */
import {
  asIncoming,
  type Metric,
  type Num,
  type ObjectiveInfo,
  type Row,
  type ScanInfo,
  type Snapshot,
  STATES,
} from "../wire";

/** What an output holds. */
export interface SavedOutput {
  id: string;
  snapshot: Snapshot | null;
}

type Fields = Record<string, unknown>;
/** Gives the value of a field, or what stands for it where it is of a wrong type. */
type Reader<T> = (value: unknown) => T;
type Readers<T> = { [K in keyof T]-?: Reader<T[K]> };

/** More values than a sparkline can show are of no use. */
const MOST_TRAIL = 200;
const WORDS: readonly unknown[] = ["NaN", "Infinity", "-Infinity"];

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === "string";
const isFinite = (value: unknown): value is number => Number.isFinite(value);
const isNum = (value: unknown): value is Num => isFinite(value) || WORDS.includes(value);

const text: Reader<string> = (value) => (isText(value) ? value : "");
const maybeText: Reader<string | null> = (value) => (isText(value) ? value : null);
const texts: Reader<string[]> = (value) => (Array.isArray(value) ? value.filter(isText) : []);
const maybeNumber: Reader<number | null> = (value) => (isFinite(value) ? value : null);
const number: Reader<number> = (value) => maybeNumber(value) ?? 0;
const count: Reader<number> = (value) => Math.max(0, Math.floor(number(value)));
const maybeCount: Reader<number | null> = (value) => (isFinite(value) ? count(value) : null);
const maybeNum: Reader<Num | null> = (value) => (isNum(value) ? value : null);

/** A reader of one of a few words; the first stands for all that is none of them. */
function oneOf<T extends string>(first: T, ...others: T[]): Reader<T> {
  const words: readonly string[] = [first, ...others];
  return (value) => (isText(value) && words.includes(value) ? (value as T) : first);
}

/** Reads the fields of an object. Those that it lacks are left out where they may be missing. */
function read<T>(readers: Readers<T>, object: Fields, optional: readonly string[] = []): T {
  const names = Object.keys(readers) as (keyof T & string)[];
  const given = names.filter((name) => Object.hasOwn(object, name) || !optional.includes(name));
  return Object.fromEntries(given.map((name) => [name, readers[name](own(object, name))])) as T;
}

const own = (object: Fields, name: string): unknown =>
  Object.hasOwn(object, name) ? object[name] : undefined;

const METRIC: Readers<Metric> = {
  last: (value) => maybeNum(value) ?? "NaN",
  min: maybeNum,
  max: maybeNum,
  n: count,
  trail: (value) => (Array.isArray(value) ? value.filter(isNum).slice(0, MOST_TRAIL) : []),
};

function metrics(value: unknown): Row["metrics"] {
  if (!isObject(value)) return {};
  const sound = Object.entries(value).filter((entry): entry is [string, Fields] =>
    isObject(entry[1]),
  );
  return Object.fromEntries(sound.map(([name, metric]) => [name, read(METRIC, metric)]));
}

function usage(value: unknown): NonNullable<Row["usage"]> {
  if (!isObject(value)) return {};
  return Object.fromEntries(Object.entries(value).filter(([, amount]) => isFinite(amount)));
}

const ROW: Readers<Row> = {
  ...{ id: text, point: count, repeat: count, params: (value) => (isObject(value) ? value : {}) },
  // A later version may have other states; of such a job it is not known what became of it.
  ...{ state: oneOf("lost", ...STATES), reason: maybeText, message: maybeText, cell: maybeCount },
  ...{ attempts: count, step: maybeCount, steps: maybeCount, metrics, value: maybeNum },
  ...{ where: maybeText, gpu: maybeText, started: maybeNumber, ended: maybeNumber },
  values: (value) => (Array.isArray(value) ? value.map(maybeNum) : []),
  ...{ notebook: maybeText, peak_mb: maybeNumber, usage, reported: maybeNumber, link: text },
};
const OPTIONAL = ["peak_mb", "usage", "reported", "link", "values"];
/** Keys that only a scan with several objectives has. */
const HEAD_OPTIONAL = ["objectives", "pareto"];

const OBJECTIVE: Readers<ObjectiveInfo> = {
  metric: text,
  direction: oneOf("maximize", "minimize"),
  reduction: oneOf("last", "max", "min"),
};

function counts(value: unknown): ScanInfo["counts"] {
  const found = isObject(value) ? value : {};
  return Object.fromEntries(
    STATES.map((state) => [state, count(own(found, state))]),
  ) as ScanInfo["counts"];
}

const HEAD: Readers<ScanInfo> = {
  ...{ id: text, name: text, notebook: text, backend: text, params: texts, varied: texts },
  state: oneOf("stopped", "running", "paused", "done", "orphaned"),
  objective: (value) => (isObject(value) ? read(OBJECTIVE, value) : null),
  objectives: (value) =>
    Array.isArray(value) ? value.filter(isObject).map((one) => read(OBJECTIVE, one)) : [],
  pareto: texts,
  ...{ repeats: maybeText, total: maybeCount, counts, best: maybeText, best_value: maybeNum },
  ...{ created: number, ended: maybeNumber, left_s: maybeNumber, gpu_s: number, now: number },
  ...{ note: maybeText, warnings: texts, stopped_by: maybeText, reported: maybeNumber },
  channel: oneOf("file", "push", "drop", "end"),
  ...{ folder: text, browse: maybeText, home: text, foreign: maybeText, accept: texts },
};

/** A snapshot in which all has its type, or null if it holds no scan. A row without id is none. */
function snapshotOf(data: unknown): Snapshot | null {
  const found: unknown = asIncoming(data);
  if (!isObject(found) || found["type"] !== "snapshot") return null;
  const { scan, rows } = found;
  if (!isObject(scan) || !isText(scan["name"]) || !Array.isArray(rows)) return null;
  const made = rows.filter(isObject).map((row) => read(ROW, row, OPTIONAL));
  const named = made.filter(({ id }) => id !== "");
  return { type: "snapshot", rev: 0, scan: read(HEAD, scan, HEAD_OPTIONAL), rows: named };
}

/** Reads an output of our MIME type; null where it names no scan. */
export function savedOutput(data: unknown): SavedOutput | null {
  if (!isObject(data)) return null;
  const id = own(data, "id");
  if (!isText(id) || !/^[\w.-]{1,100}$/.test(id)) return null;
  return { id, snapshot: snapshotOf(own(data, "snapshot")) };
}
