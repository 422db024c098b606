/** Learning curves over each other: grey ones, the opened one, the best one, each named at its end. */
import { drawIfChanged, h, setAttributes, setText, svg } from "../ui/dom";
import { count, t } from "../ui/i18n";
import { formatAlone } from "../ui/numbers";
import { clip, full } from "../ui/text";
import { type Axis, stepTicks, valueAxis } from "./axes";
import {
  type Drawn,
  drawn,
  type Kind,
  lastPoint,
  linePaths,
  type PlotArea,
  type Series,
} from "./geometry";
import { type Label, type Placed, placeLabels, type Room } from "./labels";
import { Readout } from "./readout";

export interface PlotData {
  metric: string;
  series: readonly Series[];
  /** The epoch up to which the scan trains, where that is known. */
  until?: number | null;
}

export const MOST_CURVES = 40;
const DENSE = 12;
const NAMES = 104;
const HEIGHT = 212;
const RANK: Record<Kind, number> = { plain: 0, best: 1, opened: 2 };

function* valuesOf(all: readonly Drawn[]): Iterable<number> {
  for (const { points } of all) for (const [, value] of points) if (value !== null) yield value;
}

function stepSpan(all: readonly Drawn[], until: number | null): [low: number, high: number] {
  let [low, high] = [Infinity, until ?? -Infinity];
  for (const { points } of all) {
    for (const [step] of points) [low, high] = [Math.min(low, step), Math.max(high, step)];
  }
  return low <= high ? [low, high] : [0, 1];
}

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

  /** Follows the width of what holds it; returns the way to stop. */
  follow(): () => void {
    if (typeof ResizeObserver === "undefined") return () => undefined;
    const observer = new ResizeObserver(([entry]) => {
      const width = Math.floor(entry?.contentRect.width ?? 0);
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
    const all = series.slice(0, MOST_CURVES).map(drawn).filter(lastPoint);
    all.sort((a, b) => RANK[a.kind] - RANK[b.kind]); // the ones that matter lie on top
    this.picture.toggleAttribute("hidden", all.length === 0);
    setText(this.empty, all.length ? "" : t("No value of %1 yet.", clip(metric, 60) || "–"));
    this.empty.hidden = all.length > 0;
    const signature = JSON.stringify([metric, until, this.width, all]);
    const axis = valueAxis(valuesOf(all));
    const frame = this.frame(axis, stepSpan(all, until));
    setAttributes(this.picture, { width: this.width, "aria-label": this.words(metric, all) });
    const changed = drawIfChanged(this.picture, signature, () => [
      grid(axis, frame, stepSpan(all, until)),
      ...all.map((one) => line(one, frame)),
      names(all, frame),
      this.marks,
    ]);
    this.picture.classList.toggle("gg-dense", all.length > DENSE);
    if (changed) this.readout.update(all, frame);
  }

  private frame(axis: Axis, [low, high]: [number, number]): PlotArea {
    const longest = Math.max(...axis.ticks.map((tick) => axis.text(tick).length));
    const [left, top, bottom] = [Math.max(24, longest * 6.3 + 8), 10, HEIGHT - 20];
    const right = this.width - (this.width > 360 ? NAMES : 12);
    const x = (step: number): number => left + ((step - low) / (high - low || 1)) * (right - left);
    const y = (value: number): number => bottom - axis.at(value) * (bottom - top);
    return { left, right, top, bottom, width: this.width, x, y };
  }

  private words(metric: string, all: readonly Drawn[]): string {
    const last = [...all].reverse().slice(0, 12);
    const told = last.map(
      (one) => `${clip(one.id, 40)} ${formatAlone(lastPoint(one)?.[1] ?? NaN)}`,
    );
    const of = count(
      all.length,
      "%2 by epoch of %1 variant",
      "%2 by epoch of %1 variants",
      full(metric),
    );
    return `${of}: ${told.join(", ")}`;
  }
}

function grid(axis: Axis, frame: PlotArea, [low, high]: [number, number]): SVGElement {
  const { left, right, bottom } = frame;
  const across = axis.ticks.flatMap((tick) => {
    const y = frame.bottom - axis.at(tick) * (frame.bottom - frame.top);
    const name = svg("text", { x: left - 6, y: y + 4, "text-anchor": "end" });
    name.textContent = axis.text(tick);
    return [svg("path", { class: "gg-rule", d: `M${left} ${y}H${right}` }), name];
  });
  const most = Math.max(2, Math.min(6, Math.floor((right - left) / 70)));
  const along = stepTicks(low, high, most).map((tick) => {
    const name = svg("text", { x: frame.x(tick), y: bottom + 16, "text-anchor": "middle" });
    name.textContent = String(Number(tick.toPrecision(6)));
    return name;
  });
  return svg("g", { "aria-hidden": "true" }, ...across, ...along);
}

function line(one: Drawn, frame: PlotArea): SVGElement {
  const [step, value] = lastPoint(one) ?? [0, 0];
  const end = { cx: frame.x(step), cy: frame.y(value), r: one.kind === "opened" ? 3 : 2 };
  const d = linePaths(one, frame).join("");
  return svg("g", { class: `gg-line-${one.kind}` }, svg("path", { d }), svg("circle", end));
}

function label(one: Drawn, frame: PlotArea): Label {
  const [step, value] = lastPoint(one) ?? [0, 0];
  const text = `${clip(one.id, 14)} ${formatAlone(value)}`;
  return { id: one.id, text, x: frame.x(step), y: frame.y(value), rank: RANK[one.kind] };
}

/** Curves with a point, or a point half way between two, in the box. */
function crossed(
  all: readonly Drawn[],
  { x, y }: PlotArea,
  [left, right, top, bottom]: [number, number, number, number],
): number {
  const inside = (a: number, b: number): boolean =>
    a >= left && a <= right && b >= top && b <= bottom;
  const hit = ({ points }: Drawn): boolean =>
    points.some(([step, value], i) => {
      const [next, after] = points[i + 1] ?? [step, value];
      if (value === null || after === null) return false;
      const [a, b] = [x(step), y(value)];
      return inside(a, b) || inside((a + x(next)) / 2, (b + y(after)) / 2);
    });
  return all.filter(hit).length;
}

function names(all: readonly Drawn[], frame: PlotArea): SVGElement {
  const kinds = new Map(all.map((one) => [one.id, one.kind]));
  const draw = ({ id, text, x, y }: Placed): SVGElement => {
    const name = svg("text", { x, y, class: `gg-name-${kinds.get(id) ?? "plain"}` });
    name.textContent = text;
    return name;
  };
  const labels = all.map((one) => label(one, frame));
  const room: Room = { ...frame, crossed: (...box) => crossed(all, frame, box) };
  return svg("g", { "aria-hidden": "true" }, ...placeLabels(labels, room).map(draw));
}
