/** Curves over each other: grey ones, the opened one and the best one, each named at its end. */
import { drawIfChanged, h, setAttributes, setText, svg } from "../ui/dom";
import { count, t } from "../ui/i18n";
import { formatAlone } from "../ui/numbers";
import { clip, full } from "../ui/text";
import { type PlotAxis, stepTicks, valueAxis } from "./axes";
import {
  type DrawnCurve,
  drawnCurve,
  type Kind,
  lastPoint,
  linePaths,
  type PlotArea,
  type Series,
} from "./geometry";
import { type Label, type PlacedLabel, placeLabels, type Room } from "./labels";
import { Readout } from "./readout";

/** What a plot shows. */
export interface PlotData {
  metric: string;
  series: readonly Series[];
  /** The epoch up to which the scan trains, where that is known. */
  until?: number | null;
}

/** At most so many curves are drawn. */
export const MOST_CURVES = 40;
/** More curves than this are drawn with thinner lines. */
const DENSE = 12;
/** So many curves are read to users of a screen reader. */
const MOST_SPOKEN = 12;
/** The width of the column of names, the height of the picture and of its margins, in pixels. */
const NAMES_WIDTH = 104;
const HEIGHT = 212;
const TOP = 10;
const BELOW = 20;
/** A narrower plot has no room for a column of names. */
const LEAST_WIDTH_FOR_NAMES = 360;
const CHAR_WIDTH = 6.3;
const RANK: Record<Kind, number> = { plain: 0, best: 1, opened: 2 };

function* valuesOf(curves: readonly DrawnCurve[]): Iterable<number> {
  for (const { points } of curves) {
    for (const [, value] of points) if (value !== null) yield value;
  }
}

/** The first and the last epoch of the axis. */
function stepSpan(curves: readonly DrawnCurve[], until: number | null): [number, number] {
  let low = Infinity;
  let high = until ?? -Infinity;
  for (const { points } of curves) {
    for (const [step] of points) {
      low = Math.min(low, step);
      high = Math.max(high, step);
    }
  }
  return low <= high ? [low, high] : [0, 1];
}

/** The picture with its axes, curves and names, and the readout of one epoch. */
export class Plot {
  readonly element: HTMLElement;
  private readonly picture = svg("svg", { class: "gg-curveplot", height: HEIGHT, role: "img" });
  private readonly marks = svg("g", { "aria-hidden": "true" });
  private readonly empty = h("p", { class: "gg-q" });
  private readonly readout: Readout;
  private data: PlotData = { metric: "", series: [] };
  private width = 560;

  constructor() {
    this.readout = new Readout(this.picture, this.marks);
    const help = t("Curves; the arrow keys read one epoch after another");
    this.element = h(
      "div",
      { class: "gg-plot", role: "group", tabindex: 0, "aria-label": help },
      ...[this.empty, this.readout.element],
    );
    this.element.prepend(this.picture);
    this.readout.listen(this.element);
  }

  /** Follows the width of the element around it; returns a function that ends this. */
  follow(): () => void {
    if (typeof ResizeObserver === "undefined") return () => undefined;
    const observer = new ResizeObserver(([entry]) => {
      const width = Math.floor(entry?.contentRect.width ?? 0);
      // A plot in a hidden tab has no width; what it shows is kept.
      if (width < 120 || width === this.width) return;
      this.width = width;
      this.draw();
    });
    observer.observe(this.element);
    return () => observer.disconnect();
  }

  update(data: PlotData): void {
    this.data = data;
    this.draw();
  }

  private draw(): void {
    const { metric, series, until = null } = this.data;
    const curves = series.slice(0, MOST_CURVES).map(drawnCurve).filter(lastPoint);
    // What is drawn last lies on top: the best curve, and above it the opened one.
    curves.sort((a, b) => RANK[a.kind] - RANK[b.kind]);
    this.picture.toggleAttribute("hidden", curves.length === 0);
    setText(this.empty, curves.length ? "" : t("No value of %1 yet.", clip(metric, 60) || "–"));
    this.empty.hidden = curves.length > 0;
    const signature = JSON.stringify([metric, until, this.width, curves]);
    const axis = valueAxis(valuesOf(curves));
    const steps = stepSpan(curves, until);
    const area = this.area(axis, steps);
    const label = this.description(metric, curves);
    setAttributes(this.picture, { width: this.width, "aria-label": label });
    const changed = drawIfChanged(this.picture, signature, () => [
      drawAxes(axis, area, steps),
      ...curves.map((curve) => drawCurve(curve, area)),
      drawNames(curves, area),
      this.marks,
    ]);
    this.picture.classList.toggle("gg-dense", curves.length > DENSE);
    if (changed) this.readout.update(curves, area);
  }

  private area(axis: PlotAxis, [low, high]: [number, number]): PlotArea {
    const longest = Math.max(...axis.ticks.map((tick) => axis.text(tick).length));
    const left = Math.max(24, longest * CHAR_WIDTH + 8);
    const bottom = HEIGHT - BELOW;
    const right = this.width - (this.width > LEAST_WIDTH_FOR_NAMES ? NAMES_WIDTH : 12);
    const x = (step: number): number => left + ((step - low) / (high - low || 1)) * (right - left);
    const y = (value: number): number => bottom - axis.at(value) * (bottom - TOP);
    return { left, right, top: TOP, bottom, width: this.width, x, y };
  }

  /** What a screen reader says of the picture: the last value of each curve. */
  private description(metric: string, curves: readonly DrawnCurve[]): string {
    const spoken = [...curves].reverse().slice(0, MOST_SPOKEN);
    const values = spoken.map((curve) => {
      const value = lastPoint(curve)?.[1] ?? NaN;
      return `${clip(curve.id, 40)} ${formatAlone(value)}`;
    });
    const [one, many] = ["%2 by epoch of %1 variant", "%2 by epoch of %1 variants"] as const;
    return `${count(curves.length, one, many, full(metric))}: ${values.join(", ")}`;
  }
}

function drawAxes(axis: PlotAxis, area: PlotArea, [low, high]: [number, number]): SVGElement {
  const { left, right, bottom } = area;
  const across = axis.ticks.flatMap((tick) => {
    const y = area.bottom - axis.at(tick) * (area.bottom - area.top);
    const name = svg("text", { x: left - 6, y: y + 4, "text-anchor": "end" });
    setText(name, axis.text(tick));
    return [svg("path", { class: "gg-rule", d: `M${left} ${y}H${right}` }), name];
  });
  const most = Math.max(2, Math.min(6, Math.floor((right - left) / 70)));
  const along = stepTicks(low, high, most).map((tick) => {
    const name = svg("text", { x: area.x(tick), y: bottom + 16, "text-anchor": "middle" });
    setText(name, String(Number(tick.toPrecision(6))));
    return name;
  });
  return svg("g", { "aria-hidden": "true" }, ...across, ...along);
}

function drawCurve(curve: DrawnCurve, area: PlotArea): SVGElement {
  const [step, value] = lastPoint(curve) ?? [0, 0];
  const end = { cx: area.x(step), cy: area.y(value), r: curve.kind === "opened" ? 3 : 2 };
  const path = svg("path", { d: linePaths(curve, area).join("") });
  return svg("g", { class: `gg-line-${curve.kind}` }, path, svg("circle", end));
}

function labelOf(curve: DrawnCurve, area: PlotArea): Label {
  const [step, value] = lastPoint(curve) ?? [0, 0];
  const text = `${clip(curve.id, 14)} ${formatAlone(value)}`;
  return { id: curve.id, text, x: area.x(step), y: area.y(value), rank: RANK[curve.kind] };
}

type Box = [left: number, right: number, top: number, bottom: number];

/** Whether a curve has a point in a box, or a point half way between two of its points. */
function crosses({ points }: DrawnCurve, { x, y }: PlotArea, box: Box): boolean {
  const [left, right, top, bottom] = box;
  const inside = (a: number, b: number): boolean =>
    a >= left && a <= right && b >= top && b <= bottom;
  return points.some(([step, value], i) => {
    const [nextStep, nextValue] = points[i + 1] ?? [step, value];
    if (value === null || nextValue === null) return false;
    const here: [number, number] = [x(step), y(value)];
    const halfWay: [number, number] = [(here[0] + x(nextStep)) / 2, (here[1] + y(nextValue)) / 2];
    return inside(...here) || inside(...halfWay);
  });
}

function drawNames(curves: readonly DrawnCurve[], area: PlotArea): SVGElement {
  const kinds = new Map(curves.map((curve) => [curve.id, curve.kind]));
  const draw = ({ id, text, x, y }: PlacedLabel): SVGElement => {
    const name = svg("text", { x, y, class: `gg-name-${kinds.get(id) ?? "plain"}` });
    setText(name, text);
    return name;
  };
  const labels = curves.map((curve) => labelOf(curve, area));
  const crossed = (...box: Box): number =>
    curves.filter((curve) => crosses(curve, area, box)).length;
  const room: Room = { ...area, crossed };
  return svg("g", { "aria-hidden": "true" }, ...placeLabels(labels, room).map(draw));
}
