/** What the actions of a row do. */
import type { Row } from "../../wire";
import type { Commands } from "../scan/commands";
import type { Host } from "../scan/host";
import { notebookPath } from "../scan/paths";
import { canStop } from "../scan/rows";
import type { ScanStore } from "../scan/store";
import { copyText } from "../ui/clipboard";
import type { RowAction } from "./gridcontrol";
import type { Line } from "./lines";
import type { VariantPane } from "./variantpane";

/** The ids of the rows that can be stopped, or of those that can be run again. */
export const idsOf = (rows: readonly Row[], action: "retry" | "stop"): string[] =>
  rows.filter((row) => canStop(row) === (action === "stop")).map((row) => row.id);

/** Does what is asked for in a row: in the host where it can, else in the page. */
export class RowActions {
  constructor(
    private readonly store: ScanStore,
    private readonly host: Host,
    private readonly commands: Commands,
    private readonly pane: VariantPane,
    private readonly say: (text: string) => void,
  ) {}

  act(action: RowAction, line: Line): void {
    if (action === "open") this.open(line.row);
    else if (action === "log") this.log(line.row);
    else if (action === "notebook") this.notebook(line.row);
    else this.commands.run(action, idsOf(line.rows, action));
  }

  private open(row: Row): void {
    const { scan } = this.store;
    if (scan && this.host.openJob) this.host.openJob(scan, row.id);
    else this.log(row);
  }

  /** Opens the log of a row below the table; a second time closes it. */
  private log(row: Row): void {
    const { scan } = this.store;
    if (!scan) return;
    if (this.pane.id === row.id) this.pane.close();
    else this.pane.open(row, scan);
  }

  private notebook(row: Row): void {
    const { scan } = this.store;
    if (scan && this.host.openNotebook) this.host.openNotebook(scan, row);
    else void this.copyPath(row);
  }

  private async copyPath(row: Row): Promise<void> {
    const path = this.store.scan ? notebookPath(row, this.store.scan) : null;
    if (!path) return this.say("This variant has no notebook yet.");
    const copied = await copyText(path);
    this.say(`${copied ? "Copied: " : "Notebook: "}${path}`);
  }
}
