/** Icons. They carry the colour of a state; the text beside them stays plain. */
import { svg } from "./dom";

/** An SVG element in a square of 12 by 12. */
type Shape = readonly [tag: string, attributes: Record<string, string>];

const line = (d: string, width = "1.3"): Shape => [
  "path",
  { d, fill: "none", stroke: "currentColor", "stroke-width": width },
];
const ring = (width = "1.3", dash = ""): Shape => [
  "circle",
  {
    cx: "6",
    cy: "6",
    r: "4.8",
    fill: "none",
    stroke: "currentColor",
    "stroke-width": width,
    "stroke-dasharray": dash,
  },
];
/** A line in the colour of the page, which cuts into a filled shape. */
const cutOut = (d: string): Shape => [
  "path",
  { d, fill: "none", stroke: "var(--gg-bg)", "stroke-width": "1.5" },
];
const dot = (cx: string, cy: string, r: string, more: Record<string, string> = {}): Shape => [
  "circle",
  { cx, cy, r, fill: "currentColor", ...more },
];
const solid = (d: string): Shape => ["path", { d, fill: "currentColor" }];

const LOST: Shape[] = [
  line("M6 .6L11.4 6 6 11.4.6 6z", "1.4"),
  line("M4.6 5a1.4 1.4 0 1 1 1.6 1.3v.8", "1.1"),
  dot("6.2", "8.6", ".7"),
];
const STOP: Shape[] = [solid("M2.3 2.3h7.4v7.4H2.3z")];
const PAUSE: Shape[] = [line("M3.8 2v8M8.2 2v8", "1.8")];

const SHAPES: Record<string, readonly Shape[]> = {
  new: [ring("1.4", "1.6 2")],
  queued: [ring(), line("M6 3.2V6l2 1.3", "1.2")],
  running: [ring("1.4"), dot("6", "6", "2.3", { class: "gg-pulse" })],
  done: [dot("6", "6", "5.5"), cutOut("M3.4 6.2l1.9 1.9 3.4-3.9")],
  failed: [
    solid(
      "M2.2.7h7.6a1.5 1.5 0 0 1 1.5 1.5v7.6a1.5 1.5 0 0 1-1.5 1.5H2.2A1.5 1.5 0 0 1 .7 9.8V2.2" +
        "A1.5 1.5 0 0 1 2.2.7z",
    ),
    cutOut("M3.6 3.6l4.8 4.8M8.4 3.6L3.6 8.4"),
  ],
  cancelled: [ring(), line("M2.7 9.3l6.6-6.6")],
  lost: LOST,
  orphaned: LOST,
  stopped: STOP,
  stop: STOP,
  paused: PAUSE,
  pause: PAUSE,
  resume: [solid("M3.4 2v8l6.4-4z")],
  retry: [line("M10 6a4 4 0 1 1-1.3-3M9.4.8v2.6H6.8")],
  log: [line("M1.5 3h9M1.5 6h9M1.5 9h5.5")],
  notebook: [line("M2.5 1.2h7v9.6h-7zM4.6 1.2v9.6M6.2 4h2M6.2 6h2", "1.1")],
  star: [solid("M6 .8l1.6 3.4 3.7.5-2.7 2.5.7 3.7L6 9.1l-3.3 1.8.7-3.7L.7 4.7l3.7-.5z")],
  closed: [line("M4 2.5L7.8 6 4 9.5", "1.4")],
  open: [line("M2.5 4L6 7.8 9.5 4", "1.4")],
  down: [line("M2.5 4L6 7.8 9.5 4", "1.4")],
  up: [line("M2.5 8L6 4.2 9.5 8", "1.4")],
  find: [
    line("M8 8l3 3", "1.4"),
    [
      "circle",
      { cx: "5", cy: "5", r: "3.6", fill: "none", stroke: "currentColor", "stroke-width": "1.3" },
    ],
  ],
  columns: [line("M1.5 2h9v8h-9zM4.5 2v8M7.5 2v8", "1.1")],
  close: [line("M2.5 2.5l7 7M9.5 2.5l-7 7")],
  more: [dot("2", "6", "1.1"), dot("6", "6", "1.1"), dot("10", "6", "1.1")],
  plus: [line("M6 1.5v9M1.5 6h9", "1.4")],
  copy: [line("M4 3.6h6v7.2H4zM2 8.4V1.2h6", "1.1")],
};

/**
 * Makes an icon; the name is that of a state or of an action.
 *
 * With a label, the icon stands alone and screen readers say the label. Without one, they pass over
 * the icon, since its name stands beside it as a text.
 */
export function icon(name: string, label: string | null = null): SVGElement {
  // An unknown name, of a state that a newer server has, draws nothing.
  const shapes = SHAPES[name] ?? [];
  const hidden = label ? null : "true";
  const spoken = { role: label && "img", "aria-label": label, "aria-hidden": hidden };
  const wanted = { class: `gg-s gg-${name}`, viewBox: "0 0 12 12", ...spoken };
  return svg("svg", wanted, ...shapes.map(([tag, more]) => svg(tag, more)));
}
