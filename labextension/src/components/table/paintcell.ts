/** From what a cell says to its elements. */
import { button, h, setAttributes, svg, textNode } from "../ui/dom";
import { icon } from "../ui/icons";
import type { CellContent } from "./cellcontent";
import { HEIGHT } from "./sparkline";

type Content<K extends CellContent["kind"]> = Extract<CellContent, { kind: K }>;

const quiet = (text: string): HTMLElement => h("span", { class: "gg-q" }, text);
const percent = (share: number, places: number): string =>
  `${Math.round(share * 100 * 10 ** places) / 10 ** places}%`;

function paintId({ text, mark, fold, leads }: Content<"id">): Node[] {
  const nodes: Node[] = [];
  if (fold) nodes.push(h("span", { class: "gg-chev", "data-act": "fold" }, icon(fold)));
  nodes.push(leads ? h("span", { class: "gg-l", "data-act": "open" }, text) : textNode(text));
  if (mark) nodes.push(icon("star", mark));
  return nodes;
}

function paintEpoch({ at, of, share }: Content<"epoch">): Node[] {
  if (of === null) return [textNode(String(at))];
  if (share === null) return [quiet(`${at}/${of}`)];
  const filled = h("i");
  filled.style.width = percent(share, 0);
  return [textNode(String(at)), quiet(`/${of}`), h("i", { class: "gg-pg" }, filled)];
}

function paintBar({ share, live }: Content<"bar">): Node[] {
  if (share === null) return [];
  const bar = h("i", { class: live ? "gg-on" : "" });
  bar.style.width = percent(share, 1);
  return [bar];
}

function paintCurve({ curves, width, guide, tone }: Content<"curve">): Node[] {
  // The values are in the row as numbers too, so screen readers pass over the picture.
  const size = { width, height: HEIGHT, "aria-hidden": "true" };
  const picture = svg("svg", { class: `gg-cv gg-cv-${tone}`, ...size });
  if (guide !== null)
    picture.append(svg("path", { class: "gg-guide", d: `M2 ${guide}H${width - 3}` }));
  for (const { segments, end } of curves) {
    picture.append(...segments.map((points) => svg("polyline", { points })));
    if (end) picture.append(svg("circle", { cx: end[0], cy: end[1], r: 1.8 }));
  }
  return [picture];
}

function paintPlace({ text, href }: Content<"place">): Node[] {
  if (href === null) return [textNode(text)];
  const link = { class: "gg-l", href, target: "_blank", rel: "noopener noreferrer", tabindex: -1 };
  return [h("a", { ...link, title: "Open the batch system's page about it" }, text)];
}

function paintReason({ text, cell, href, opens }: Content<"why">): Node[] {
  const sentence = h("span", {}, text);
  if (cell === null) return [sentence];
  const label = `In [${cell}]`;
  const look = { class: "gg-c gg-l gg-in", tabindex: -1 };
  if (opens) {
    const wanted = { ...look, "data-act": "notebook" };
    return [sentence, button("Open the notebook", [label], wanted)];
  }
  if (!href) return [sentence, h("span", { class: "gg-c gg-q gg-in" }, label)];
  const link = { ...look, href, target: "_blank", rel: "noopener" };
  return [sentence, h("a", { ...link, title: "Open the notebook" }, label)];
}

type ByKind<T> = { [K in CellContent["kind"]]: (content: Content<K>) => T };

const classes = (...names: (string | false)[]): string => names.filter(Boolean).join(" ");

/** The classes of a cell that go with what it says. */
const LOOKS: ByKind<string> = {
  check: () => "gg-check",
  state: () => "gg-state",
  curve: () => "gg-curve",
  place: () => "gg-q",
  epoch: () => "gg-c gg-ep",
  bar: () => "gg-ib",
  text: ({ code, quiet: isQuiet, strong }) =>
    classes(code && "gg-c", isQuiet && "gg-q", strong && "gg-b"),
  id: ({ mark, depth }) => classes("gg-c gg-id", mark !== null && "gg-b", depth > 0 && "gg-deep"),
  why: ({ strong }) => classes("gg-why", !strong && "gg-q"),
};

const PAINTERS: ByKind<Node[]> = {
  check: ({ on }) => [h("i", { class: on ? "gg-x gg-on" : "gg-x", "data-act": "select" })],
  id: paintId,
  state: ({ state, text }) => [icon(state), h("span", {}, text)],
  text: ({ text }) => [textNode(text)],
  place: paintPlace,
  epoch: paintEpoch,
  bar: paintBar,
  curve: paintCurve,
  why: paintReason,
};

/** Paints one cell; `base` has the classes that go with its column. */
export function paintCell(cell: HTMLElement, content: CellContent, base: string): void {
  // TypeScript cannot see that the kind of the content and the key of the record are the same.
  const look = LOOKS[content.kind] as (content: CellContent) => string;
  const paint = PAINTERS[content.kind] as (content: CellContent) => Node[];
  cell.className = `gg-cell ${base} ${look(content)}`;
  const title = "title" in content ? content.title : "";
  setAttributes(cell, { title: title || null });
  const free = content.kind === "text" ? content.pad : 0;
  cell.style.paddingRight = free ? `calc(${free}ch + 12px)` : "";
  cell.replaceChildren(...paint(content));
}
