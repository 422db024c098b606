/** What the cells of all rows are drawn with, worked out once per change. */
import type { Row, ScanInfo } from "../../wire";
import type { Host } from "../scan/host";
import { notebookUrl, type ServerConfig } from "../scan/paths";
import { comparable } from "../scan/rows";
import type { RowStatistics } from "../scan/statistics";
import type { ScanStore } from "../scan/store";
import { toNumber } from "../scan/values";
import { finite } from "../ui/numbers";
import type { TableArrangement } from "./arrangement";
import { type SparkScale, sparkScale } from "./sparkline";

/** What the host and the sender allow. */
export interface Abilities {
  /** The host opens notebooks, finished or not. */
  notebook: boolean;
  /** The host opens the view of a job. */
  job: boolean;
  /** There is a runner, or somebody who starts one, to take commands. */
  command: boolean;
}

/** What a cell has to know besides its row and its column. */
export interface CellContext {
  scan: ScanInfo;
  statistics: RowStatistics;
  /** The best value of the objective. */
  best: number | null;
  /** The time by the clock of the sender, in Unix seconds. */
  now: number;
  selected: ReadonlySet<string>;
  /** The keys of the groups of repeats that are open. */
  openGroups: ReadonlySet<string>;
  abilities: Abilities;
  /** The scale of the sparklines of a metric; null where it has no values. */
  scale(metric: string): SparkScale | null;
  /** The address of the notebook of a row; null where it opens in another way, or not at all. */
  href(row: Row): string | null;
}

/** Makes the context of the cells of one table. */
export class CellContexts {
  private readonly scales = new Map<string, SparkScale | null>();
  /** The best value; undefined until it was looked for. */
  private knownBest: number | null | undefined;

  constructor(
    private readonly store: ScanStore,
    private readonly arrangement: TableArrangement,
    private readonly config: ServerConfig | null,
    private readonly host: Host = {},
  ) {}

  /** The rows have changed: what was worked out from them is out of date. */
  forget(): void {
    this.scales.clear();
    this.knownBest = undefined;
  }

  /** The context as it is now; null before there is a scan. */
  make(): CellContext | null {
    const { scan, statistics } = this.store;
    if (!scan) return null;
    const { selected, openGroups } = this.arrangement;
    return {
      ...{ scan, statistics, selected, openGroups },
      best: this.best(),
      now: this.store.now(),
      abilities: this.abilities(),
      scale: (metric) => this.scale(metric),
      href: (row) => this.href(row, scan),
    };
  }

  private href(row: Row, scan: ScanInfo): string | null {
    return this.host.openNotebook ? null : notebookUrl(row, scan, this.config);
  }

  private abilities(): Abilities {
    const { openNotebook, openJob } = this.host;
    return { notebook: !!openNotebook, job: !!openJob, command: !this.store.missing };
  }

  private best(): number | null {
    if (this.knownBest === undefined) this.knownBest = this.findBest();
    return this.knownBest;
  }

  private findBest(): number | null {
    const { scan, rows } = this.store;
    const told = toNumber(scan?.best_value);
    if (finite(told)) return told;
    const values = [...rows.values()].map(comparable).filter(finite);
    if (!scan?.objective || values.length === 0) return null;
    const pick = scan.objective.direction === "maximize" ? Math.max : Math.min;
    // Not pick(...values): a scan may have more rows than a call may have arguments.
    return values.reduce((a, b) => pick(a, b));
  }

  private scale(metric: string): SparkScale | null {
    let scale = this.scales.get(metric);
    if (scale === undefined) {
      const best = metric === this.store.scan?.objective?.metric ? this.best() : null;
      scale = sparkScale([...this.store.rows.values()], metric, best);
      this.scales.set(metric, scale);
    }
    return scale;
  }
}
