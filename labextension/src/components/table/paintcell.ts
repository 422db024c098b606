/** From what a cell says to its elements. */
import { button, h, svg } from "../ui/dom";
import { icon } from "../ui/icons";
import type { CellContent } from "./cellcontent";
import { HEIGHT } from "./sparkline";

type Of<K extends CellContent["kind"]> = Extract<CellContent, { kind: K }>;

const quiet = (text: string): HTMLElement => h("span", { class: "gg-q" }, text);

function paintId({ text, best, fold, leads }: Of<"id">): Node[] {
  const chevron = fold ? h("span", { class: "gg-chev", "data-act": "fold" }, icon(fold)) : null;
  const star = best ? icon("star", "best") : null;
  const name = leads
    ? h("span", { class: "gg-l", "data-act": "open" }, text)
    : document.createTextNode(text);
  return [chevron, name, star].filter((node) => node !== null);
}

function paintEpoch({ at, of, share }: Of<"epoch">): Node[] {
  if (of === null) return [document.createTextNode(String(at))];
  if (share === null) return [quiet(`${at}/${of}`)];
  const progress = h("i", { class: "gg-pg" }, h("i"));
  (progress.firstElementChild as HTMLElement).style.width = `${Math.round(share * 100)}%`;
  return [document.createTextNode(String(at)), quiet(`/${of}`), progress];
}

function paintBar({ share, live }: Of<"bar">): Node[] {
  if (share === null) return [];
  const bar = h("i", { class: live ? "gg-on" : "" });
  bar.style.width = `${Math.round(share * 1000) / 10}%`;
  return [bar];
}

function paintCurve(piece: Of<"curve">): Node[] {
  const { curves, width, guide, tone } = piece;
  const root = svg("svg", {
    class: `gg-cv gg-cv-${tone}`,
    width,
    height: HEIGHT,
    "aria-hidden": "true",
  });
  if (guide !== null)
    root.append(svg("path", { class: "gg-guide", d: `M2 ${guide}H${width - 3}` }));
  for (const { pieces, end } of curves) {
    root.append(...pieces.map((points) => svg("polyline", { points })));
    if (end) root.append(svg("circle", { cx: end[0], cy: end[1], r: 1.8 }));
  }
  return [root];
}

function paintPlace({ text, href }: Of<"place">): Node[] {
  if (href === null) return [document.createTextNode(text)];
  const link = { class: "gg-l", href, target: "_blank", rel: "noopener noreferrer", tabindex: -1 };
  return [h("a", { ...link, title: "Open the engine's page about it" }, text)];
}

function paintWhy({ text, cell, href, opens }: Of<"why">): Node[] {
  const words = h("span", {}, text);
  if (cell === null) return [words];
  const label = `In [${cell}]`;
  if (opens) {
    const act = { class: "gg-c gg-l gg-in", "data-act": "notebook", tabindex: -1 };
    return [words, button("Open the notebook", [label], act)];
  }
  if (!href) return [words, h("span", { class: "gg-c gg-q gg-in" }, label)];
  const link = { class: "gg-c gg-l gg-in", href, target: "_blank", rel: "noopener", tabindex: -1 };
  return [words, h("a", { ...link, title: "Open the notebook" }, label)];
}

/** The class of a cell; it goes with its text. */
function look(piece: CellContent): string {
  switch (piece.kind) {
    case "text":
      return [piece.code && "gg-c", piece.quiet && "gg-q", piece.strong && "gg-b"]
        .filter(Boolean)
        .join(" ");
    case "id":
      return `gg-c gg-id${piece.best ? " gg-b" : ""}${piece.depth ? " gg-deep" : ""}`;
    case "place":
      return "gg-q";
    case "epoch":
      return "gg-c gg-ep";
    case "bar":
      return "gg-ib";
    case "why":
      return `gg-why${piece.strong ? "" : " gg-q"}`;
    default:
      return `gg-${piece.kind}`;
  }
}

function content(piece: CellContent): Node[] {
  switch (piece.kind) {
    case "check":
      return [h("i", { class: piece.on ? "gg-x gg-on" : "gg-x", "data-act": "select" })];
    case "id":
      return paintId(piece);
    case "state":
      return [icon(piece.state), h("span", {}, piece.text)];
    case "text":
      return [document.createTextNode(piece.text)];
    case "place":
      return paintPlace(piece);
    case "epoch":
      return paintEpoch(piece);
    case "bar":
      return paintBar(piece);
    case "curve":
      return paintCurve(piece);
    case "why":
      return paintWhy(piece);
  }
}

/** One cell; `base` is the class that goes with its column. */
export function paintCell(cell: HTMLElement, piece: CellContent, base: string): void {
  cell.className = `gg-cell ${base} ${look(piece)}`;
  const title = "title" in piece ? piece.title : "";
  if (title) cell.title = title;
  else cell.removeAttribute("title");
  const free = piece.kind === "text" ? piece.pad : 0;
  cell.style.paddingRight = free ? `calc(${free}ch + 12px)` : "";
  cell.replaceChildren(...content(piece));
}
