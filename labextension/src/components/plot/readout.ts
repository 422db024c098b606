/** What the curves are at one epoch: under the pointer, or epoch after epoch with the arrow keys. */
import { h, svg } from "../ui/dom";
import { t } from "../ui/i18n";
import { formatAlone } from "../ui/numbers";
import { clip } from "../ui/text";
import type { Drawn, PlotArea } from "./geometry";

const MOST = 10;

interface Read {
  id: string;
  kind: Drawn["kind"];
  value: number;
}

export class Readout {
  readonly element = h("div", { class: "gg-readout" });
  private readonly spoken = h("div", { class: "gg-live", role: "status" });
  private all: readonly Drawn[] = [];
  private frame: PlotArea | null = null;
  private steps: number[] = [];
  private at = -1;

  constructor(
    private readonly picture: SVGElement,
    private readonly marks: SVGElement,
  ) {
    this.element.hidden = true;
  }

  listen(holder: HTMLElement): void {
    holder.append(this.spoken);
    holder.addEventListener("pointermove", (event) => this.point(event));
    holder.addEventListener("pointerleave", () => this.show(-1));
    holder.addEventListener("blur", () => this.show(-1));
    holder.addEventListener("keydown", (event) => this.key(event));
  }

  update(all: readonly Drawn[], frame: PlotArea): void {
    const before = this.steps[this.at];
    this.all = all;
    this.frame = frame;
    const steps = new Set(all.flatMap(({ points }) => points.map(([step]) => step)));
    this.steps = [...steps].sort((a, b) => a - b);
    this.show(before === undefined ? -1 : this.steps.indexOf(before));
  }

  private point(event: PointerEvent): void {
    if (!this.frame) return;
    const x = event.clientX - this.picture.getBoundingClientRect().left;
    const { frame, steps } = this;
    if (x < frame.left - 8 || x > frame.right + 8) return this.show(-1);
    const far = (step: number): number => Math.abs(frame.x(step) - x);
    let near = 0;
    steps.forEach((step, i) => far(step) < far(steps[near] ?? 0) && (near = i));
    this.show(near);
  }

  private key(event: KeyboardEvent): void {
    const last = this.steps.length - 1;
    const to: Record<string, number> = {
      ArrowRight: Math.min(last, this.at + 1),
      ArrowLeft: this.at < 0 ? last : Math.max(0, this.at - 1),
      ...{ Home: 0, End: last, Escape: -1 },
    };
    if (!Object.hasOwn(to, event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && this.at < 0) return;
    event.preventDefault();
    event.stopPropagation();
    this.show(to[event.key] ?? -1);
    this.spoken.textContent = this.words();
  }

  /** The best known first: opened, best, then as they were given. */
  private read(step: number): Read[] {
    const found = [...this.all].reverse().flatMap(({ id, kind, points }) => {
      const value = points.find(([one]) => one === step)?.[1] ?? null;
      return value === null ? [] : [{ id, kind, value }];
    });
    return found.slice(0, MOST);
  }

  private words(): string {
    const step = this.steps[this.at];
    if (step === undefined) return "";
    const told = this.read(step).map(({ id, value }) => `${clip(id, 40)} ${formatAlone(value)}`);
    return `${t("epoch %1", step)}: ${told.join(", ")}`;
  }

  private show(at: number): void {
    this.at = at;
    const step = this.steps[at];
    this.element.hidden = step === undefined;
    if (step === undefined || !this.frame) return this.marks.replaceChildren();
    this.mark(step, this.frame);
    this.fill(step, this.frame);
  }

  private mark(step: number, frame: PlotArea): void {
    const x = frame.x(step);
    const dots = this.read(step).map(({ kind, value }) =>
      svg("circle", { class: `gg-dot-${kind}`, cx: x, cy: frame.y(value), r: 2.5 }),
    );
    const guide = svg("path", { class: "gg-guide", d: `M${x} ${frame.top}V${frame.bottom}` });
    this.marks.replaceChildren(guide, ...dots);
  }

  private fill(step: number, frame: PlotArea): void {
    const lines = this.read(step).map(({ id, kind, value }) =>
      h(
        "div",
        { class: `gg-read-${kind}` },
        h("span", {}, clip(id, 24)),
        h("b", {}, formatAlone(value)),
      ),
    );
    this.element.replaceChildren(h("div", { class: "gg-q" }, t("epoch %1", step)), ...lines);
    const x = frame.x(step);
    const left = x > (frame.left + frame.right) / 2;
    this.element.style.left = left ? "" : `${x + 10}px`;
    this.element.style.right = left ? `${frame.width - x + 10}px` : "";
  }
}
