/** What the cells are drawn with: best value and curve scales, worked out once per change. */
import type { Row, ScanInfo } from "../../wire";
import type { Host } from "../scan/host";
import { type Config, notebookUrl } from "../scan/paths";
import { comparable } from "../scan/rows";
import type { ScanStore } from "../scan/store";
import { toNumber } from "../scan/values";
import { finite } from "../ui/numbers";
import type { TableArrangement } from "./arrangement";
import type { Abilities, CellContext } from "./cellcontent";
import { curveScale, type Scale } from "./sparkline";

export class CellContexts {
  private readonly scales = new Map<string, Scale | null>();
  private known: number | null | undefined;

  constructor(
    private readonly store: ScanStore,
    private readonly view: TableArrangement,
    private readonly config: Config | null,
    private readonly host: Host = {},
  ) {}

  /** The rows have changed. */
  forget(): void {
    this.scales.clear();
    this.known = undefined;
  }

  make(): CellContext | null {
    const { scan, statistics: facts } = this.store;
    if (!scan) return null;
    const { selected, open } = this.view;
    const href = (row: Row): string | null => this.href(row, scan);
    const scale = (metric: string): Scale | null => this.scale(metric);
    const [best, now, can] = [this.best(), this.store.now(), this.can()];
    return { scan, facts, best, now, selected, open, scale, href, can };
  }

  private href(row: Row, scan: ScanInfo): string | null {
    return this.host.openNotebook ? null : notebookUrl(row, scan, this.config);
  }

  private can(): Abilities {
    const { openNotebook, openJob } = this.host;
    return { notebook: !!openNotebook, job: !!openJob, command: !this.store.missing };
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
