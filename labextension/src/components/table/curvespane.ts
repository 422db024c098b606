/** The curves below the rows of a table. They are there only while they are open. */
import type { Curves, MakeCurves } from "../scan/curves";
import type { ScanStore } from "../scan/store";
import { h } from "../ui/dom";

/** Opens and closes the curves of a scan. */
export class CurvesPane {
  readonly element = h("div", { class: "gg-dock" });
  private curves: Curves | null = null;

  constructor(
    private readonly store: ScanStore,
    private readonly makeCurves: MakeCurves,
    private readonly toggled: (open: boolean) => void,
  ) {
    this.element.hidden = true;
  }

  /** Whether the curves are shown. */
  get open(): boolean {
    return this.curves !== null;
  }

  /** Opens or closes the curves. */
  show(on: boolean): void {
    if (on === this.open) return;
    this.dispose();
    if (on) {
      this.curves = this.makeCurves(this.store, null, () => this.show(false));
      this.element.replaceChildren(this.curves.element);
      this.curves.update();
    }
    this.element.hidden = !on;
    this.toggled(on);
  }

  update(): void {
    this.curves?.update();
  }

  dispose(): void {
    this.curves?.dispose();
    this.curves = null;
    this.element.replaceChildren();
  }
}
