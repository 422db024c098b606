/** A scan in a tab of its own: the table at full height, and on demand the curves below it. */
import type { MakeCurves } from "../scan/curves";
import type { Host } from "../scan/host";
import type { ScanStore } from "../scan/store";
import { LiveTable } from "./table";

/** The content of such a tab. `start` says whether the curves are open at first. */
export class ScanView {
  readonly element: HTMLElement;
  private readonly table: LiveTable;

  constructor(store: ScanStore, makeCurves: MakeCurves, host: Host, start: "table" | "curves") {
    this.table = new LiveTable(store, makeCurves, {
      host: withoutOpenScan(host),
      fill: true,
      curves: start === "curves",
    });
    this.element = this.table.element;
  }

  dispose(): void {
    this.table.dispose();
  }
}

/** The scan is open in this tab already, so its table must not offer to open it. */
function withoutOpenScan(host: Host): Host {
  const { openNotebook, openJob, say } = host;
  return {
    ...(openNotebook && { openNotebook: openNotebook.bind(host) }),
    ...(openJob && { openJob: openJob.bind(host) }),
    ...(say && { say: say.bind(host) }),
  };
}
