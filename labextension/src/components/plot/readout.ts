/** The values of the curves at one epoch: under the pointer, or as the arrow keys go on. */
import { h, setText, svg } from "../ui/dom";
import { t } from "../ui/i18n";
import { formatAlone } from "../ui/numbers";
import { clip } from "../ui/text";
import type { DrawnCurve, PlotArea } from "./geometry";

/** So many curves are read at most. */
const MOST_READ = 10;
/** The pointer may be so many pixels outside of the curves. */
const MARGIN = 8;

/** The value of one curve at an epoch. */
interface CurveValue {
  id: string;
  kind: DrawnCurve["kind"];
  value: number;
}

/** A box with the values at an epoch, and marks in the picture at that epoch. */
export class Readout {
  readonly element = h("div", { class: "gg-readout" });
  private readonly spoken = h("div", { class: "gg-live", role: "status" });
  private curves: readonly DrawnCurve[] = [];
  private area: PlotArea | null = null;
  /** The epochs that a curve has a point at, in order. */
  private steps: number[] = [];
  /** The index of the epoch that is read; -1 for none. */
  private index = -1;

  constructor(
    private readonly picture: SVGElement,
    private readonly marks: SVGElement,
  ) {
    this.element.hidden = true;
  }

  /** Listens to the pointer and the keys in `holder`, the element around the picture. */
  listen(holder: HTMLElement): void {
    holder.append(this.spoken);
    holder.addEventListener("pointermove", (event) => this.point(event));
    holder.addEventListener("pointerleave", () => this.show(-1));
    holder.addEventListener("blur", () => this.show(-1));
    holder.addEventListener("keydown", (event) => this.key(event));
  }

  /** The curves are others now; the epoch that is read stays. */
  update(curves: readonly DrawnCurve[], area: PlotArea): void {
    const before = this.steps[this.index];
    this.curves = curves;
    this.area = area;
    const steps = new Set(curves.flatMap(({ points }) => points.map(([step]) => step)));
    this.steps = [...steps].sort((a, b) => a - b);
    this.show(before === undefined ? -1 : this.steps.indexOf(before));
  }

  /** Reads the epoch that is nearest to the pointer. */
  private point(event: PointerEvent): void {
    const { area, steps } = this;
    if (!area) return;
    const x = event.clientX - this.picture.getBoundingClientRect().left;
    if (x < area.left - MARGIN || x > area.right + MARGIN) return this.show(-1);
    const distance = (step: number): number => Math.abs(area.x(step) - x);
    let nearest = 0;
    steps.forEach((step, i) => {
      if (distance(step) < distance(steps[nearest] ?? 0)) nearest = i;
    });
    this.show(nearest);
  }

  private key(event: KeyboardEvent): void {
    const last = this.steps.length - 1;
    const indexAfter: Record<string, number> = {
      ArrowRight: Math.min(last, this.index + 1),
      ArrowLeft: this.index < 0 ? last : Math.max(0, this.index - 1),
      ...{ Home: 0, End: last, Escape: -1 },
    };
    if (!Object.hasOwn(indexAfter, event.key)) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    // With nothing to hide, Escape is for what is around, which may close the curves.
    if (event.key === "Escape" && this.index < 0) return;
    event.preventDefault();
    event.stopPropagation();
    this.show(indexAfter[event.key] ?? -1);
    setText(this.spoken, this.sentence());
  }

  /** The values at an epoch. The opened curve and the best come first: they are drawn last. */
  private valuesAt(step: number): CurveValue[] {
    const found: CurveValue[] = [];
    for (const { id, kind, points } of [...this.curves].reverse()) {
      const value = points.find(([one]) => one === step)?.[1] ?? null;
      if (value !== null) found.push({ id, kind, value });
    }
    return found.slice(0, MOST_READ);
  }

  private sentence(): string {
    const step = this.steps[this.index];
    if (step === undefined) return "";
    const values = this.valuesAt(step).map(
      ({ id, value }) => `${clip(id, 40)} ${formatAlone(value)}`,
    );
    return `${t("epoch %1", step)}: ${values.join(", ")}`;
  }

  private show(index: number): void {
    this.index = index;
    const step = this.steps[index];
    this.element.hidden = step === undefined;
    if (step === undefined || !this.area) return this.marks.replaceChildren();
    this.drawMarks(step, this.area);
    this.drawBox(step, this.area);
  }

  private drawMarks(step: number, area: PlotArea): void {
    const x = area.x(step);
    const dots = this.valuesAt(step).map(({ kind, value }) =>
      svg("circle", { class: `gg-dot-${kind}`, cx: x, cy: area.y(value), r: 2.5 }),
    );
    const guide = svg("path", { class: "gg-guide", d: `M${x} ${area.top}V${area.bottom}` });
    this.marks.replaceChildren(guide, ...dots);
  }

  private drawBox(step: number, area: PlotArea): void {
    const lines = this.valuesAt(step).map(({ id, kind, value }) => {
      const name = h("span", {}, clip(id, 24));
      return h("div", { class: `gg-read-${kind}` }, name, h("b", {}, formatAlone(value)));
    });
    this.element.replaceChildren(h("div", { class: "gg-q" }, t("epoch %1", step)), ...lines);
    const x = area.x(step);
    // In the right half of the plot the box stands left of the epoch, so that it is not cut.
    const left = x > (area.left + area.right) / 2;
    this.element.style.left = left ? "" : `${x + 10}px`;
    this.element.style.right = left ? `${area.width - x + 10}px` : "";
  }
}
