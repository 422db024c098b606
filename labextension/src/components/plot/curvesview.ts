/** Curves of some variants over each other, with the choice of a metric; they grow while jobs run. */
import type { Curve, Metrics, Row } from "../../wire";
import { type Curves, type MakeCurves } from "../scan/curves";
import { bestIds } from "../scan/ranking";
import type { ScanStore } from "../scan/store";
import { button, h, setText } from "../ui/dom";
import { count, t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { RadioButtons } from "../ui/radios";
import { own } from "../ui/text";
import { type Series } from "./geometry";
import { MetricsCache, sketch } from "./metricscache";
import { MOST_CURVES, Plot } from "./plot";

const MOST_METRICS = 12;
const BEST = 5;

export class CurvesView implements Curves {
  readonly element = h("section", { class: "gg-curves", "aria-label": t("Curves by epoch") });
  private readonly radios = new RadioButtons(t("Metric"), (name) => this.choose(name));
  private readonly note = h("span", { class: "gg-q" });
  private readonly plot = new Plot();
  private readonly measured: MetricsCache;
  private readonly stop: () => void;
  private metric: string | null = null;

  constructor(
    private readonly store: ScanStore,
    /** The variant the view is about, if there is one. */
    private readonly opened: string | null,
    closed?: () => void,
  ) {
    this.measured = new MetricsCache(store, () => this.update());
    this.stop = this.plot.follow();
    const title = h("b", {}, t("By epoch"));
    const space = h("span", { class: "gg-sp" });
    const head = h("div", { class: "gg-curves-hd" }, title, this.radios.element, space, this.note);
    if (closed) head.append(this.closer(closed));
    this.element.append(head, this.plot.element);
  }

  dispose(): void {
    this.stop();
    this.measured.dispose();
  }

  metricsOf(id: string): Metrics | undefined {
    return this.measured.get(id);
  }

  private closer(closed: () => void): HTMLElement {
    const close = button(t("Close the curves"), [icon("close")], { class: "gg-i" });
    close.addEventListener("click", closed);
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      closed();
    });
    return close;
  }

  private choose(name: string): void {
    this.metric = name;
    this.update();
  }

  /** Draws what is known and asks for what is not. */
  update(): void {
    const { scan } = this.store;
    if (!scan) return;
    const ids = this.ids();
    this.measured.want(ids);
    const names = this.names();
    const metric = this.metric !== null && names.includes(this.metric) ? this.metric : names[0];
    this.radios.update(names, metric ?? "");
    this.radios.element.hidden = names.length === 0;
    setText(this.note, this.words(ids));
    const series = metric === undefined ? [] : ids.flatMap((id) => this.series(id, metric));
    this.plot.update({ metric: metric ?? "", series, until: this.until(ids) });
  }

  /** Selected ones, else the best few; with them the opened one and the best. */
  private ids(): string[] {
    const { scan, rows, selected: chosen } = this.store;
    if (!scan) return [];
    const others = chosen.size ? [...chosen] : bestIds(rows.values(), scan, BEST);
    const extra = [this.opened, scan.best].filter((id) => id !== null);
    return [...new Set([...extra, ...others])].filter((id) => rows.has(id)).slice(0, MOST_CURVES);
  }

  private words(ids: readonly string[]): string {
    const { selected: chosen } = this.store;
    if (chosen.size > MOST_CURVES) return t("%1 of %2 selected", MOST_CURVES, chosen.size);
    if (chosen.size) return count(chosen.size, "%1 variant selected", "%1 variants selected");
    if (this.opened !== null)
      return t("with the best %1", ids.filter((id) => id !== this.opened).length);
    return count(ids.length, "the best", "the best %1");
  }

  /** The objective first. */
  private names(): string[] {
    const { scan, statistics: facts } = this.store;
    const first = scan?.objective?.metric;
    const names = [...facts.metrics.keys()].filter((name) => name !== first);
    const known = first !== undefined && facts.metrics.has(first) ? [first] : [];
    return [...known, ...names].slice(0, MOST_METRICS);
  }

  private curve(row: Row, metric: string): Curve | null {
    const whole = own(this.measured.get(row.id)?.curves, metric);
    const few = own(row.metrics, metric);
    return whole ?? (few ? sketch(few) : null);
  }

  private series(id: string, metric: string): Series[] {
    const row = this.store.rows.get(id);
    const curve = row ? this.curve(row, metric) : null;
    if (!curve) return [];
    const best = id === this.store.scan?.best ? "best" : "plain";
    return [{ id, curve, kind: id === this.opened ? "opened" : best }];
  }

  private until(ids: readonly string[]): number | null {
    const steps = ids.map((id) => this.store.rows.get(id)?.steps ?? 0);
    return Math.max(0, ...steps) || null;
  }
}

/** Makes the curves of a scan, for the table and for the view of a job. */
export const makeCurves: MakeCurves = (store, variant, closed) =>
  new CurvesView(store, variant, closed);
