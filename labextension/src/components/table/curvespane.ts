/** The curves below a table: there while they are open. */
import { h } from "../ui/dom";
import { CurvesView } from "../plot/curvesview";
import type { Store } from "../scan/store";

export class Dock {
  readonly element = h("div", { class: "gg-dock" });
  private view: CurvesView | null = null;

  constructor(
    private readonly store: Store,
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
      this.view = new CurvesView(this.store, null, { closed: () => this.show(false) });
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
