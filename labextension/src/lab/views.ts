/** The tabs of the main area, and what buttons in tables and in the panel open. */
import { type ILayoutRestorer, type JupyterFrontEnd } from "@jupyterlab/application";
import { MainAreaWidget, Notification, WidgetTracker } from "@jupyterlab/apputils";
import type { IDocumentManager } from "@jupyterlab/docmanager";
import type { TranslationBundle } from "@jupyterlab/translation";
import { Widget } from "@lumino/widgets";
import { JobView } from "../components/job/jobview";
import { makeCurves } from "../components/plot/curvesview";
import { ScanView } from "../components/table/scanview";
import { clip } from "../components/ui/text";
import type { Row, ScanInfo } from "../wire";
import type { Connection } from "./connection";
import { notebookFile } from "./drive";
import { jobIcon, scansIcon } from "./icon";
import type { Views } from "./tokens";

/** The command that opens a scan. JupyterLab also opens it again after a reload of the page. */
export const OPEN_SCAN = "gridgpu:open-scan";
/** The command that opens a job. */
export const OPEN_JOB = "gridgpu:open-job";

type Tab = MainAreaWidget<View>;
/** What a tab shows. */
interface Component {
  readonly element: HTMLElement;
  dispose(): void;
}

/** A component in a tab, with what is needed to open it again after a reload of the page. */
class View extends Widget {
  private readonly component: Component;

  constructor(
    private readonly connection: Connection,
    readonly args: { id: string; name: string; variant?: string; what?: string },
    make: (store: ReturnType<Connection["open"]>) => Component,
  ) {
    super();
    this.addClass("gridgpu-tab");
    this.component = make(connection.open(args.id));
    this.node.append(this.component.element);
  }

  override dispose(): void {
    if (this.isDisposed) return;
    this.component.dispose();
    this.connection.release(this.args.id);
    super.dispose();
  }
}

/** Opens scans, jobs and notebooks in tabs, and opens the tabs again after a reload. */
export class LabViews implements Views {
  private readonly scans = new WidgetTracker<Tab>({ namespace: "gridgpu-scans" });
  private readonly jobs = new WidgetTracker<Tab>({ namespace: "gridgpu-jobs" });

  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly connection: Connection,
    private readonly documents: IDocumentManager,
    private readonly trans: TranslationBundle,
  ) {
    this.addCommands();
  }

  /** Opens the tabs that were open before the page was reloaded. */
  restore(restorer: ILayoutRestorer): void {
    const args = (tab: Tab): Record<string, string> => ({ ...tab.content.args });
    const name = (tab: Tab): string => tab.id;
    void restorer.restore(this.scans, { command: OPEN_SCAN, args, name });
    void restorer.restore(this.jobs, { command: OPEN_JOB, args, name });
  }

  say(text: string): void {
    Notification.info(clip(text, 400), { autoClose: 6000 });
  }

  openNotebook(scan: ScanInfo, row: Row): void {
    const path = notebookFile(scan, row.id);
    const open = this.documents.findWidget(path);
    // The notebook of a running job may have grown since it was opened.
    if (open) void open.context.revert();
    // A notebook of the past needs no kernel, though the user may start one.
    const preference = { shouldStart: false, canStart: true, autoStartDefault: false };
    this.documents.openOrReveal(path, "Notebook", undefined, {}, preference);
  }

  openScan(scan: ScanInfo): void {
    this.openTable(scan, "table");
  }

  openTable({ id, name }: { id: string; name: string }, what: "table" | "curves"): void {
    const tab = `gridgpu-scan-${id}`;
    this.reveal(this.scans, tab, () => {
      const made = new View(this.connection, { id, name, what }, (store) => {
        return new ScanView(store, makeCurves, this, what);
      });
      const label = clip(name, 60);
      return titled(made, label, this.trans.__("Scan %1", label), scansIcon);
    });
  }

  openJob({ id, name }: { id: string; name: string }, variant: string): void {
    const tab = `gridgpu-job-${id}-${variant}`;
    this.reveal(this.jobs, tab, () => {
      const made = new View(this.connection, { id, name, variant }, (store) => {
        return new JobView(store, variant, makeCurves, this);
      });
      const [job, scan] = [clip(variant, 40), clip(name, 60)];
      return titled(made, job, this.trans.__("%1 of %2", job, scan), jobIcon);
    });
  }

  /** Shows the tab with an id, which `make` makes if there is none. */
  private reveal(tracker: WidgetTracker<Tab>, id: string, make: () => View): void {
    let tab = tracker.find((known) => known.id === id);
    if (!tab) {
      const content = make();
      tab = new MainAreaWidget({ content });
      tab.id = id;
      tab.title.label = content.title.label;
      tab.title.caption = content.title.caption;
      tab.title.icon = content.title.icon;
      this.app.shell.add(tab, "main");
      void tracker.add(tab);
    }
    this.app.shell.activateById(tab.id);
  }

  private addCommands(): void {
    const text = (value: unknown): string => (typeof value === "string" ? value : "");
    const describedBy = { args: { type: "object" } } as const;
    this.app.commands.addCommand(OPEN_SCAN, {
      label: this.trans.__("Open the table of a scan"),
      describedBy,
      execute: ({ id, name, what }) => {
        const scan = { id: text(id), name: text(name) };
        if (scan.id) this.openTable(scan, what === "curves" ? "curves" : "table");
      },
    });
    this.app.commands.addCommand(OPEN_JOB, {
      label: this.trans.__("Open a job of a scan"),
      describedBy,
      execute: ({ id, name, variant }) => {
        if (text(id) && text(variant))
          this.openJob({ id: text(id), name: text(name) }, text(variant));
      },
    });
  }
}

function titled(view: View, label: string, caption: string, icon: typeof scansIcon): View {
  view.title.label = label;
  view.title.caption = caption;
  view.title.icon = icon;
  return view;
}
