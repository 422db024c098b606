/** Failures grouped by what caused them, the most frequent first. Pure. */
import type { Row } from "../../wire";
import { clip } from "../ui/text";
import { reasonText } from "./sentences";

export interface Cause {
  key: string;
  state: "failed" | "lost";
  /** A few words that stand for the cause. */
  title: string;
  /** One line that tells it from other causes. */
  text: string;
  /** What the first of them says in full. */
  message: string;
  rows: Row[];
}

const MOST = 12;
const SHORT = 48;

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

const sentence = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1);

function titleOf(row: Row): string {
  if (row.state === "lost") return "Lost";
  const { reason } = row;
  return (
    (reason && Object.hasOwn(TITLES, reason) && TITLES[reason]) || sentence(reasonText(reason))
  );
}

const messageOf = (row: Row): string => clip(row.message ?? "", 300);

/** A message up to where it becomes particular: `GPU out of memory`, `Reached the 1 h limit`. */
function headline(row: Row): string {
  const [head = ""] = messageOf(row).split(/ in (?:cell|epoch) |[:.;,](?: |$)| after /, 1);
  return head.length <= SHORT ? head.trim() : "";
}

const keys = new WeakMap<Row, string>();

/** Errors of notebooks differ by what they say, numbers apart; all else by its reason. */
function keyOf(row: Row): string {
  let key = keys.get(row);
  if (key === undefined) {
    const particular = row.reason === "notebook" ? messageOf(row).replace(/\d+/g, "#") : "";
    key = row.state === "lost" ? "lost" : `${row.reason ?? ""}\n${particular}`;
    keys.set(row, key);
  }
  return key;
}

function describe(key: string, rows: Row[]): Cause {
  const [first] = rows as [Row];
  const title = titleOf(first);
  const message = messageOf(first);
  const head = headline(first);
  const shared = head !== "" && rows.every((row) => headline(row) === head);
  const particular = first.reason === "notebook" && first.state === "failed";
  const words = particular ? message.replace(/\.$/, "") || title : shared ? head : title;
  const state = first.state === "lost" ? "lost" : "failed";
  return { key, state, title: particular ? title : words, text: words, message, rows };
}

function merged(rest: [string, Row[]][]): Cause[] {
  if (rest.length < 2) return rest.map(([key, rows]) => describe(key, rows));
  const rows = rest.flatMap(([, group]) => group);
  const words = "Other causes";
  return [{ key: "other", state: "failed", title: words, text: words, message: "", rows }];
}

export function causes(rows: Iterable<Row>): Cause[] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    if (row.state !== "failed" && row.state !== "lost") continue;
    const group = groups.get(keyOf(row));
    if (group) group.push(row);
    else groups.set(keyOf(row), [row]);
  }
  const sorted = [...groups].sort((a, b) => b[1].length - a[1].length);
  const named = sorted.slice(0, MOST - 1).map(([key, group]) => describe(key, group));
  return [...named, ...merged(sorted.slice(MOST - 1))];
}
