/** What the parameter form and the kernel say to each other. Whatever comes is looked at before it is used. */

export type Kind = "fixed" | "list" | "range" | "repeats";
export const KINDS: readonly Kind[] = ["fixed", "list", "range", "repeats"];

/** One parameter of the notebook. */
export interface Parameter {
  name: string;
  default: string;
  comment: string;
  /** The kinds that make sense for it, and why the others do not. */
  kinds: readonly Kind[];
  why: string;
}

/** One option of a scan. */
export interface ScanOption {
  name: string;
  label: string;
  kind: "choice" | "number" | "text" | "flag";
  choices: readonly string[];
  hint: string;
  help: string;
  /** Seldom needed: folded away. */
  rare: boolean;
  /** Its value where nothing was chosen. */
  usual: string | boolean;
}

export interface NotebookFacts {
  notebook: string;
  cell: number;
  /** Parameters that the form has no room for. */
  more: number;
  parameters: readonly Parameter[];
  metrics: readonly string[];
  search: readonly ScanOption[];
  where: readonly ScanOption[];
}

/** The texts of one parameter, as typed; those of the kinds not chosen are kept. */
export interface ParameterChoice {
  name: string;
  kind: Kind;
  value: string;
  items: string;
  low: string;
  high: string;
  points: string;
  times: string;
  stepped: boolean;
  log: boolean;
}

export type ChoiceField = "value" | "items" | "low" | "high" | "points" | "times";

export interface FormState {
  parameters: ParameterChoice[];
  direction: "maximize" | "minimize";
  metric: string;
  options: Record<string, string | boolean>;
}

/** `field` is a parameter's name, an option with its dashes, or empty for the whole form. */
export interface Complaint {
  field: string;
  part: string;
  text: string;
  suggestion: string | null;
}

export interface CheckedForm {
  cell: string;
  variants: number | null;
  factors: readonly number[];
  each: Readonly<Record<string, number | null>>;
  grid: number | null;
  words: Readonly<Record<string, string>>;
  errors: readonly Complaint[];
  warning: string | null;
}

type Loose = Record<string, unknown>;

const MOST = 1000;

const record = (value: unknown): Loose =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Loose) : {};
const records = (value: unknown): Loose[] =>
  Array.isArray(value) ? value.slice(0, MOST).map(record) : [];
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const texts = (value: unknown): string[] =>
  Array.isArray(value)
    ? value.filter((one): one is string => typeof one === "string").slice(0, MOST)
    : [];
const whole = (value: unknown): number | null => (Number.isInteger(value) ? Number(value) : null);

function values<T>(value: unknown, read: (one: unknown) => T): Record<string, T> {
  const entries = Object.entries(record(value)).slice(0, MOST);
  return Object.fromEntries(entries.map(([name, one]) => [name, read(one)]));
}

const asKind = (value: unknown): Kind => KINDS.find((kind) => kind === value) ?? "fixed";

function asParameter(value: Loose): Parameter {
  const kinds = KINDS.filter((kind) => texts(value["kinds"]).includes(kind));
  return {
    name: text(value["name"]),
    default: text(value["default"]),
    comment: text(value["comment"]),
    kinds: kinds.length ? kinds : ["fixed"],
    why: text(value["why"]),
  };
}

function asOption(value: Loose): ScanOption {
  const kind = (["choice", "number", "flag"] as const).find((one) => one === value["kind"]);
  return {
    name: text(value["name"]),
    label: text(value["label"]),
    kind: kind ?? "text",
    choices: texts(value["choices"]),
    hint: text(value["hint"]),
    help: text(value["help"]),
    rare: value["rare"] === true,
    usual: value["usual"] === true || text(value["usual"]),
  };
}

export function asFacts(value: unknown): NotebookFacts {
  const facts = record(value);
  return {
    notebook: text(facts["notebook"]),
    cell: whole(facts["cell"]) ?? 0,
    more: whole(facts["more"]) ?? 0,
    parameters: records(facts["parameters"]).map(asParameter),
    metrics: texts(facts["metrics"]),
    search: records(facts["search"]).map(asOption),
    where: records(facts["where"]).map(asOption),
  };
}

function asWish(name: string, wish: Loose): ParameterChoice {
  return {
    name,
    kind: asKind(wish["kind"]),
    value: text(wish["value"]),
    items: text(wish["items"]),
    low: text(wish["low"]),
    high: text(wish["high"]),
    points: text(wish["points"]),
    times: text(wish["times"]),
    stepped: wish["stepped"] !== false,
    log: wish["log"] === true,
  };
}

/** A state of these facts: one wish for each parameter, in their order. */
export function asState(value: unknown, facts: NotebookFacts): FormState {
  const state = record(value);
  const wishes = new Map(records(state["parameters"]).map((one) => [text(one["name"]), one]));
  return {
    parameters: facts.parameters.map(({ name }) => asWish(name, wishes.get(name) ?? {})),
    direction: state["direction"] === "minimize" ? "minimize" : "maximize",
    metric: text(state["metric"]),
    options: values(state["options"], (one) => (typeof one === "boolean" ? one : text(one))),
  };
}

function asWrong(value: Loose): Complaint {
  const suggestion = value["suggestion"];
  return {
    field: text(value["field"]),
    part: text(value["part"]),
    text: text(value["text"]),
    suggestion: typeof suggestion === "string" ? suggestion : null,
  };
}

/** An answer, or null for what is none. */
export function asChecked(value: unknown): CheckedForm | null {
  const checked = record(value);
  if (checked["type"] !== "checked") return null;
  const points = record(checked["points"]);
  const factors = Array.isArray(points["factors"]) ? points["factors"].slice(0, MOST) : [];
  return {
    cell: text(checked["cell"]),
    variants: whole(checked["variants"]),
    factors: factors.map(whole).filter((one) => one !== null),
    each: values(points["each"], whole),
    grid: whole(points["grid"]),
    words: values(checked["words"], text),
    errors: records(checked["errors"]).map(asWrong),
    warning: text(checked["warning"]) || null,
  };
}
