/** What the table and the view of a job need from a drawing of curves; the folder `plot` has it. */
import type { JobMetrics } from "../../wire";
import type { ScanStore } from "./store";

/** Curves of some variants of a scan, drawn over each other in one element. */
export interface Curves {
  readonly element: HTMLElement;
  /** Draws what the store knows now, and asks for the curves that are not known yet. */
  update(): void;
  /** The metrics of a variant as they were last received. */
  metricsOf(variant: string): JobMetrics | undefined;
  dispose(): void;
}

/**
 * Makes the curves of a scan. It is handed to the table and to the view of a job, so that neither
 * of them imports the plot.
 *
 * `variant` is the one that the view is about, or null. With `closed`, the curves have a button
 * that closes them, which calls it.
 */
export type MakeCurves = (store: ScanStore, variant: string | null, closed?: () => void) => Curves;
