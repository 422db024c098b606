/** Curves of some variants over each other, with the choice of a metric. */
import type { Curve, JobMetrics, Row, ScanInfo } from "../../wire";
import type { Curves, MakeCurves } from "../scan/curves";
import { bestIds, bestInMetric, frontOf, hasFront, objectivesOf } from "../scan/ranking";
import type { ScanStore } from "../scan/store";
import { button, h, setText } from "../ui/dom";
import { count, t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { RadioButtons } from "../ui/radios";
import { clip, own } from "../ui/text";
import type { Series } from "./geometry";
import { MetricsCache, sketch } from "./metricscache";
import { MOST_CURVES, Plot } from "./plot";

/** So many metrics can be chosen. */
const MOST_METRICS = 12;
/** Where nothing is selected, so many of the best variants are drawn. */
const BEST = 5;

/** The plot of a scan. It draws the selected variants, else the best; they grow while jobs run. */
export class CurvesView implements Curves {
  readonly element = h("section", { class: "gg-curves", "aria-label": t("Curves by epoch") });
  private readonly radios = new RadioButtons(t("Metric"), (name) => this.choose(name));
  private readonly note = h("span", { class: "gg-q" });
  private readonly plot = new Plot();
  private readonly cache: MetricsCache;
  private readonly stop: () => void;
  private metric: string | null = null;

  constructor(
    private readonly store: ScanStore,
    /** The variant that the view is about, if there is one. */
    private readonly opened: string | null,
    closed?: () => void,
  ) {
    this.cache = new MetricsCache(store, () => this.update());
    this.stop = this.plot.follow();
    const title = h("b", {}, t("By epoch"));
    const space = h("span", { class: "gg-sp" });
    const head = h("div", { class: "gg-curves-hd" }, title, this.radios.element, space, this.note);
    if (closed) head.append(this.closeButton(closed));
    this.element.append(head, this.plot.element);
  }

  dispose(): void {
    this.stop();
    this.cache.dispose();
  }

  metricsOf(id: string): JobMetrics | undefined {
    return this.cache.get(id);
  }

  private closeButton(closed: () => void): HTMLElement {
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

  update(): void {
    const { scan } = this.store;
    if (!scan) return;
    const ids = this.ids();
    this.cache.want(ids);
    const names = this.metricNames(scan);
    // The chosen metric may not be among the names any more.
    const metric = this.metric !== null && names.includes(this.metric) ? this.metric : names[0];
    this.radios.update(names, metric ?? "");
    this.radios.element.hidden = names.length === 0;
    const best = metric === undefined ? null : bestInMetric(scan, metric, this.store.rows);
    setText(this.note, this.noteText(ids, scan, best === null ? "" : (metric ?? "")));
    const series = metric === undefined ? [] : ids.flatMap((id) => this.series(id, metric, best));
    this.plot.update({ metric: metric ?? "", series, until: this.lastEpoch(ids) });
  }

  /**
   * The selected variants, else the best few; besides them always the opened one and the best.
   *
   * With several objectives the first few of the Pareto front stand for the best.
   */
  private ids(): string[] {
    const { scan, rows, selected } = this.store;
    if (!scan) return [];
    const others = selected.size ? [...selected] : bestIds(rows.values(), scan, BEST);
    const best = objectivesOf(scan).map(({ metric }) => bestInMetric(scan, metric, rows));
    const always = [this.opened, scan.best, ...best].filter((id) => id !== null);
    return [...new Set([...always, ...others])].filter((id) => rows.has(id)).slice(0, MOST_CURVES);
  }

  /** What is drawn; with several objectives also of which one the strong curve is the best. */
  private noteText(ids: readonly string[], scan: ScanInfo, metric: string): string {
    const text = hasFront(scan) ? this.frontText(ids, scan) : this.bestText(ids);
    if (!hasFront(scan) || metric === "") return text;
    return t("%1; strong: best in %2", text, clip(metric, 40));
  }

  private frontText(ids: readonly string[], scan: ScanInfo): string {
    if (this.store.selected.size) return this.bestText(ids);
    const front = frontOf(scan);
    const shown = ids.filter((id) => front.has(id)).length;
    return t("%1 of the front of %2", shown, front.size);
  }

  private bestText(ids: readonly string[]): string {
    const { size } = this.store.selected;
    if (size > MOST_CURVES) return t("%1 of %2 selected", MOST_CURVES, size);
    if (size) return count(size, "%1 variant selected", "%1 variants selected");
    if (this.opened === null) return count(ids.length, "the best", "the best %1");
    const others = ids.filter((id) => id !== this.opened);
    return t("with the best %1", others.length);
  }

  /** The names of the metrics, those of the objectives first. */
  private metricNames(scan: ScanInfo): string[] {
    const { metrics } = this.store.statistics;
    const first = objectivesOf(scan).map(({ metric }) => metric);
    const known = first.filter((name) => metrics.has(name));
    return [...new Set([...known, ...metrics.keys()])].slice(0, MOST_METRICS);
  }

  private curve(row: Row, metric: string): Curve | null {
    // The whole curve comes a moment later than the row with its few values.
    const whole = own(this.cache.get(row.id)?.curves, metric);
    if (whole) return whole;
    const inRow = own(row.metrics, metric);
    return inRow ? sketch(inRow) : null;
  }

  private series(id: string, metric: string, best: string | null): Series[] {
    const row = this.store.rows.get(id);
    const curve = row ? this.curve(row, metric) : null;
    if (!curve) return [];
    const kind = id === best ? "best" : "plain";
    return [{ id, curve, kind: id === this.opened ? "opened" : kind }];
  }

  /** The epoch up to which the variants train; null where none says that. */
  private lastEpoch(ids: readonly string[]): number | null {
    const steps = ids.map((id) => this.store.rows.get(id)?.steps ?? 0);
    return Math.max(0, ...steps) || null;
  }
}

/** Makes the curves of a scan, for the table and for the view of a job. */
export const makeCurves: MakeCurves = (store, variant, closed) =>
  new CurvesView(store, variant, closed);
