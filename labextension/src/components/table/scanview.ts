/** A scan in a tab of its own: the live table at full height, with curves below it on wish. */
import { type MakeCurves } from "../scan/curves";
import type { Host } from "../scan/host";
import type { ScanStore } from "../scan/store";
import { LiveTable } from "./table";

export class ScanView {
  readonly element: HTMLElement;
  private readonly table: LiveTable;

  constructor(store: ScanStore, makeCurves: MakeCurves, host: Host, start: "table" | "curves") {
    const { openNotebook, openJob, say } = host; // it is opened already
    const here: Host = {
      ...(openNotebook && { openNotebook: openNotebook.bind(host) }),
      ...(openJob && { openJob: openJob.bind(host) }),
      ...(say && { say: say.bind(host) }),
    };
    this.table = new LiveTable(store, makeCurves, {
      host: here,
      fill: true,
      curves: start === "curves",
    });
    this.element = this.table.element;
  }

  dispose(): void {
    this.table.dispose();
  }
}
