/** The curves below a table: there while they are open. */
import { type Curves, type MakeCurves } from "../scan/curves";
import type { ScanStore } from "../scan/store";
import { h } from "../ui/dom";

export class CurvesPane {
  readonly element = h("div", { class: "gg-dock" });
  private view: Curves | null = null;

  constructor(
    private readonly store: ScanStore,
    private readonly makeCurves: MakeCurves,
    private readonly toggled: (open: boolean) => void,
  ) {
    this.element.hidden = true;
  }

  get open(): boolean {
    return this.view !== null;
  }

  show(on: boolean): void {
    if (on === this.open) return;
    this.dispose();
    if (on) {
      this.view = this.makeCurves(this.store, null, () => this.show(false));
      this.element.replaceChildren(this.view.element);
      this.view.update();
    }
    this.element.hidden = !on;
    this.toggled(on);
  }

  update(): void {
    this.view?.update();
  }

  dispose(): void {
    this.view?.dispose();
    this.view = null;
    this.element.replaceChildren();
  }
}
