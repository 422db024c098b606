/** The cell that the form stands for, with the light colours of an editor. */
import { drawIfChanged, h } from "../ui/dom";
import type { Complaint } from "./messages";

const TOKENS =
  /("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(\b(?:True|False|None)\b)|((?<![\w.])(?:\d[\d_]*\.?\d*|\.\d+)(?:e[+-]?\d+)?)/gi;
const CLASSES = ["gf-string", "gf-keyword", "gf-number"];

/** A right side, in pieces: strings, words, numbers and what is between. */
export function colourCode(text: string): (Node | string)[] {
  const pieces: (Node | string)[] = [];
  let end = 0;
  for (const match of text.matchAll(TOKENS)) {
    const which = CLASSES[match.slice(1).findIndex((group) => group !== undefined)] ?? "";
    pieces.push(text.slice(end, match.index), h("span", { class: which }, match[0]));
    end = match.index + match[0].length;
  }
  return [...pieces, text.slice(end)].filter((piece) => piece !== "");
}

const marked = (pieces: (Node | string)[], wrong: boolean): (Node | string)[] =>
  wrong ? [h("s", {}, ...pieces)] : pieces;

function first(line: string, wrong: ReadonlySet<string>): (Node | string)[] {
  const [magic = "", ...words] = line.split(/ (?=--)/);
  const [name = "", ...rest] = magic.split(" ");
  const options = words.flatMap((word) => [
    " ",
    ...marked([word], wrong.has(word.split(" ")[0] ?? "")),
  ]);
  return [h("span", { class: "gf-meta" }, name), ` ${rest.join(" ")}`, ...options];
}

function assignment(line: string, wrong: ReadonlySet<string>): (Node | string)[] {
  const [, left = "", right = ""] = /^([^=]*= )(.*)$/s.exec(line) ?? ["", "", line];
  return [left, ...marked(colourCode(right), wrong.has(left.split(" ")[0] ?? ""))];
}

export function drawCell(element: Element, cell: string, errors: readonly Complaint[]): void {
  const wrong = new Set(errors.map(({ field }) => field));
  drawIfChanged(element, JSON.stringify([cell, [...wrong]]), () =>
    cell
      .split("\n")
      .flatMap((line, i) => (i ? ["\n", ...assignment(line, wrong)] : first(line, wrong))),
  );
}
