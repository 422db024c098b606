/** The cell that the form stands for, with the colours of an editor. */
import { drawIfChanged, h } from "../ui/dom";
import type { CheckedForm } from "./messages";

/** What is coloured in Python: strings, the names of constants, and numbers. */
const STRING = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/;
const CONSTANT = /\b(?:True|False|None)\b/;
const NUMBER = /(?<![\w.])(?:\d[\d_]*\.?\d*|\.\d+)(?:e[+-]?\d+)?/;
const TOKENS = new RegExp(`(${STRING.source})|(${CONSTANT.source})|(${NUMBER.source})`, "gi");
/** The classes of the three groups of TOKENS. */
const CLASSES = ["gf-string", "gf-keyword", "gf-number"];

type Content = (Node | string)[];

/** Colours the right side of an assignment. */
export function colourCode(text: string): Content {
  const content: Content = [];
  let end = 0;
  for (const match of text.matchAll(TOKENS)) {
    const group = match.slice(1).findIndex((found) => found !== undefined);
    const token = h("span", { class: CLASSES[group] ?? "" }, match[0]);
    content.push(text.slice(end, match.index), token);
    end = match.index + match[0].length;
  }
  return [...content, text.slice(end)].filter((item) => item !== "");
}

/** Marks a part of the cell, if something is wrong with it. */
const marked = (content: Content, wrong: boolean): Content =>
  wrong ? [h("s", {}, ...content)] : content;

/** The first line: the magic, the notebook and the options. */
function magicLine(line: string, wrong: ReadonlySet<string>): Content {
  // An option is cut off with its value: `--gpus 1`.
  const [magic = "", ...options] = line.split(/ (?=--)/);
  const [name = "", ...rest] = magic.split(" ");
  const content: Content = [h("span", { class: "gf-meta" }, name), ` ${rest.join(" ")}`];
  for (const option of options) {
    const flag = option.split(" ")[0] ?? "";
    content.push(" ", ...marked([option], wrong.has(flag)));
  }
  return content;
}

/** Words of Python that stand at the begin of a line. */
const WORD = /^(\s*)(if|elif|else|assert|pass)\b(.*)$/s;

function bodyLine(line: string, wrong: boolean): Content {
  const [, indent = "", word, rest = ""] = WORD.exec(line) ?? [];
  if (word) {
    return [indent, h("span", { class: "gf-keyword" }, word), ...marked(colourCode(rest), wrong)];
  }
  const [, left = "", right = ""] = /^([^=]*= )(.*)$/s.exec(line) ?? ["", "", line];
  return [left, ...marked(colourCode(right), wrong)];
}

/** Draws the cell, and marks in it what is wrong. */
export function drawCell(element: Element, { cell, lines, errors }: CheckedForm): void {
  const wrong = new Set(errors.map(({ field }) => field));
  const [magic = "", ...body] = cell.split("\n");
  drawIfChanged(element, JSON.stringify([cell, lines, [...wrong]]), () => [
    ...magicLine(magic, wrong),
    ...body.flatMap((line, i) => ["\n", ...bodyLine(line, wrong.has(lines[i] ?? ""))]),
  ]);
}
