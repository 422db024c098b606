/** Failures grouped by what caused them. */
import type { Row } from "../../wire";
import { clip } from "../ui/text";
import { reasonText } from "./sentences";

/** Failed or lost jobs with the same cause. */
export interface Cause {
  /** A text that is unique among the causes of a scan. */
  key: string;
  state: "failed" | "lost";
  /** The kind of cause: `Out of memory`. */
  title: string;
  /** One line that tells it from other causes of its kind. */
  text: string;
  /** The message of the first of the jobs, in full. */
  message: string;
  rows: Row[];
}

/** So many causes are told apart; all others are put together. */
const MOST_CAUSES = 12;
/** So many characters a headline may have. */
const MOST_HEADLINE = 48;

const TITLES: Record<string, string> = {
  timeout: "Reached the time limit",
  oom: "Out of memory",
  preempted: "Ended from outside",
  node: "Trouble on the machine",
  image: "Image or kernel",
  notebook: "Error in the notebook",
  user: "Stopped",
  submit: "Not sent",
};

const capitalized = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function titleOf({ state, reason }: Row): string {
  if (state === "lost") return "Lost";
  const known = reason && Object.hasOwn(TITLES, reason) ? TITLES[reason] : undefined;
  return known ?? capitalized(reasonText(reason));
}

const messageOf = (row: Row): string => clip(row.message ?? "", 300);

/** A message up to where it becomes particular: `GPU out of memory`, `Reached the 1 h limit`. */
function headline(row: Row): string {
  const [head = ""] = messageOf(row).split(/ in (?:cell|epoch) |[:.;,](?: |$)| after /, 1);
  return head.length <= MOST_HEADLINE ? head.trim() : "";
}

/** Rows are replaced and never changed, so the key of each is worked out once. */
const keys = new WeakMap<Row, string>();

/**
 * The key of the cause of a failure.
 *
 * Errors in notebooks are told apart by their messages; numbers in them, such as a shape or an
 * epoch, do not count. Everything else is told apart by its reason.
 */
function keyOf(row: Row): string {
  let key = keys.get(row);
  if (key === undefined) {
    const particular = row.reason === "notebook" ? messageOf(row).replace(/\d+/g, "#") : "";
    key = row.state === "lost" ? "lost" : `${row.reason ?? ""}\n${particular}`;
    keys.set(row, key);
  }
  return key;
}

/** The headline that all rows share; empty where they differ. */
function sharedHeadline(rows: readonly Row[], first: Row): string {
  const head = headline(first);
  return rows.every((row) => headline(row) === head) ? head : "";
}

function describe(key: string, rows: Row[]): Cause {
  const [first] = rows as [Row];
  const kind = titleOf(first);
  const message = messageOf(first);
  const state = first.state === "lost" ? "lost" : "failed";
  if (first.reason === "notebook" && state === "failed") {
    // The message of an error in a notebook is the cause; `ValueError: ...` says more than a kind.
    return { key, state, title: kind, text: message.replace(/\.$/, "") || kind, message, rows };
  }
  const text = sharedHeadline(rows, first) || kind;
  return { key, state, title: text, text, message, rows };
}

/** The causes beyond the ones that are named, put together into one if they are several. */
function describeRest(rest: [string, Row[]][]): Cause[] {
  if (rest.length < 2) return rest.map(([key, rows]) => describe(key, rows));
  const rows = rest.flatMap(([, group]) => group);
  const text = "Other causes";
  return [{ key: "other", state: "failed", title: text, text, message: "", rows }];
}

/** The causes of all failures, the most frequent first. */
export function causes(rows: Iterable<Row>): Cause[] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    if (row.state !== "failed" && row.state !== "lost") continue;
    const group = groups.get(keyOf(row));
    if (group) group.push(row);
    else groups.set(keyOf(row), [row]);
  }
  const sorted = [...groups].sort((a, b) => b[1].length - a[1].length);
  const named = sorted.slice(0, MOST_CAUSES - 1).map(([key, group]) => describe(key, group));
  return [...named, ...describeRest(sorted.slice(MOST_CAUSES - 1))];
}
