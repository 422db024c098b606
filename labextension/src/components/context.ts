/** What the cells are drawn with: best value and curve scales, worked out once per change. */
import type { Row } from "../wire";
import { type Scale, curveScale } from "./curves";
import { comparable, finite } from "./facts";
import { toNumber } from "./format";
import { type Config, notebookUrl } from "./paths";
import type { Context } from "./pieces";
import type { Store } from "./store";
import type { View } from "./view";

export class Contexts {
  private readonly scales = new Map<string, Scale | null>();
  private known: number | null | undefined;

  constructor(
    private readonly store: Store,
    private readonly view: View,
    private readonly config: Config | null,
  ) {}

  /** The rows have changed. */
  forget(): void {
    this.scales.clear();
    this.known = undefined;
  }

  make(): Context | null {
    const { scan, facts } = this.store;
    if (!scan) return null;
    const { selected, open } = this.view;
    const href = (row: Row): string | null => notebookUrl(row, scan, this.config);
    const scale = (metric: string): Scale | null => this.scale(metric);
    return { scan, facts, best: this.best(), now: this.store.now(), selected, open, scale, href };
  }

  private best(): number | null {
    if (this.known === undefined) this.known = this.findBest();
    return this.known;
  }

  private findBest(): number | null {
    const { scan, rows } = this.store;
    const told = toNumber(scan?.best_value);
    if (finite(told)) return told;
    const values = [...rows.values()].map(comparable).filter(finite);
    if (!scan?.objective || values.length === 0) return null;
    const pick = scan.objective.direction === "maximize" ? Math.max : Math.min;
    return values.reduce((a, b) => pick(a, b));
  }

  private scale(metric: string): Scale | null {
    let scale = this.scales.get(metric);
    if (scale === undefined) {
      const best = metric === this.store.scan?.objective?.metric ? this.best() : null;
      scale = curveScale([...this.store.rows.values()], metric, best);
      this.scales.set(metric, scale);
    }
    return scale;
  }
}
