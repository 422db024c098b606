/** From a training notebook to the form, and from the form to the cell that it stands for. */
import type { JupyterFrontEnd } from "@jupyterlab/application";
import { Notification } from "@jupyterlab/apputils";
import { PathExt } from "@jupyterlab/coreutils";
import type { IDocumentManager } from "@jupyterlab/docmanager";
import { FileDialog, type IDefaultFileBrowser } from "@jupyterlab/filebrowser";
import {
  type INotebookTracker,
  type Notebook,
  NotebookActions,
  type NotebookPanel,
} from "@jupyterlab/notebook";
import type { TranslationBundle } from "@jupyterlab/translation";

export const WRITE_CELL = "gridgpu:write-cell";
const LOAD = "%load_ext jupyter_gridgpu";
const BAD_NAME =
  "A notebook with {, }, $ or a line break in its name cannot be scanned; rename it.";
const TEXT_LIMIT = 100_000;

/** As the magic's line takes it. */
const quoted = (name: string): string =>
  /^[\w.@%+=:,/-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\"'\"'")}'`;

/** Listens for the form's wish; it comes from inside an output, and is answered in that output's notebook. */
export function writeCells(tracker: INotebookTracker): void {
  document.addEventListener(WRITE_CELL, (event) => {
    const { text, run } = ((event as CustomEvent).detail ?? {}) as {
      text?: unknown;
      run?: unknown;
    };
    const target = event.target;
    if (typeof text !== "string" || text.length > TEXT_LIMIT || !(target instanceof Element))
      return;
    if (!target.closest(".gridgpu-form")) return;
    const panel = tracker.find((one) => one.node.contains(target));
    if (!panel) return;
    event.preventDefault();
    const cells = panel.content.widgets;
    panel.content.activeCellIndex = cells.findIndex((cell) => cell.node.contains(target));
    void insert(panel, text, run === true);
  });
}

/** Below the active cell, and alone selected: what is run next is this cell and no other. */
function insertCode(notebook: Notebook, text: string): void {
  notebook.deselectAll();
  NotebookActions.insertBelow(notebook);
  NotebookActions.changeCellType(notebook, "code"); // a person may have set another kind for new cells
  notebook.activeCell?.model.sharedModel.setSource(text);
}

async function insert(panel: NotebookPanel, text: string, run: boolean): Promise<void> {
  const notebook = panel.content;
  insertCode(notebook, text);
  if (run) await NotebookActions.run(notebook, panel.sessionContext);
}

/** Opens `scan_NAME.ipynb` beside a notebook, made if need be, with the form in it. */
export class FormOpener {
  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly documents: IDocumentManager,
    private readonly tracker: INotebookTracker,
    private readonly browser: IDefaultFileBrowser | null,
    private readonly trans: TranslationBundle,
  ) {}

  async open(path?: string): Promise<void> {
    const chosen = path ?? (await this.choose());
    if (!chosen) return;
    try {
      await this.show(chosen);
    } catch (error) {
      Notification.error(error instanceof Error ? error.message : String(error));
    }
  }

  private async choose(): Promise<string | null> {
    const manager = this.documents;
    const title = this.trans.__("Scan which notebook?");
    const filter = ({ type, path }: { type: string; path: string }): { score: number } | null =>
      type === "notebook" && !PathExt.basename(path).startsWith("scan_") ? { score: 1 } : null;
    if (!this.browser) return null;
    const picked = await FileDialog.getOpenFiles({ manager, title, filter });
    return picked.value?.find((item) => item.type === "notebook")?.path ?? null;
  }

  private async show(path: string): Promise<void> {
    const name = PathExt.basename(path);
    if (/[{}$\p{Cc}]/u.test(name)) throw new Error(this.trans.__(BAD_NAME)); // IPython fills these in
    const open = this.documents.findWidget(path);
    if (open?.context.model.dirty) await open.context.save(); // the form reads the file
    const target = PathExt.join(PathExt.dirname(path), `scan_${name}`);
    const cell = `${LOAD}\n%gridscan ${quoted(name)}`;
    if (!(await this.exists(target))) await this.make(target, cell);
    const widget = this.documents.openOrReveal(target, "Notebook");
    if (!widget) return; // Notebook 7 opens it in a page of its own
    await widget.context.ready;
    await widget.revealed;
    const panel = this.tracker.find((one) => one.context === widget.context);
    if (panel) await this.runForm(panel, cell);
  }

  /** Looked up in its folder: asking for a file that is not there leaves an error in the console. */
  private async exists(path: string): Promise<boolean> {
    const { contents } = this.app.serviceManager;
    const folder = await contents.get(PathExt.dirname(path), { content: true });
    return (folder.content as { path: string }[]).some((item) => item.path === path);
  }

  private async make(path: string, cell: string): Promise<void> {
    const { contents, kernelspecs } = this.app.serviceManager;
    await kernelspecs.ready;
    const name = kernelspecs.specs?.default ?? "python3";
    const spec = kernelspecs.specs?.kernelspecs[name];
    const kernelspec = { name, display_name: spec?.display_name ?? name, language: "python" };
    const code = { cell_type: "code", id: "form", source: cell, metadata: {}, outputs: [] };
    const content = {
      cells: [{ ...code, execution_count: null }],
      ...{ metadata: { kernelspec }, nbformat: 4, nbformat_minor: 5 },
    };
    await contents.save(path, { type: "notebook", format: "json", content });
  }

  private async runForm(panel: NotebookPanel, source: string): Promise<void> {
    const notebook = panel.content;
    await panel.sessionContext.ready;
    const known = notebook.widgets.findIndex((cell) => cell.model.sharedModel.source === source);
    notebook.activeCellIndex = known >= 0 ? known : notebook.widgets.length - 1;
    notebook.deselectAll();
    if (known < 0) insertCode(notebook, source);
    await NotebookActions.run(notebook, panel.sessionContext);
  }
}
