/** Opens the form for a training notebook, and writes the cell that a form stands for. */
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
import { WRITE_CELL, type WriteCell } from "../components/form/writecell";

const LOAD = "%load_ext jupyter_gridgpu";
const BAD_NAME =
  "A notebook with {, }, $ or a line break in its name cannot be scanned; rename it.";
/** A longer text is not written: it comes from an output, which anybody may have made. */
const TEXT_LIMIT = 100_000;

/** A file name as the line of a magic takes it, with the quotes of a shell. */
const quoted = (name: string): string =>
  /^[\w.@%+=:,/-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\"'\"'")}'`;

/**
 * Writes the cells that forms ask for.
 *
 * The event comes from inside an output, and the cell is written into the notebook of that output.
 */
export function writeCells(tracker: INotebookTracker): void {
  document.addEventListener(WRITE_CELL, (event) => {
    const detail = (event as CustomEvent).detail as Partial<
      Record<keyof WriteCell, unknown>
    > | null;
    const { text, run } = detail ?? {};
    const { target } = event;
    if (typeof text !== "string" || text.length > TEXT_LIMIT) return;
    if (!(target instanceof Element) || !target.closest(".gridgpu-form")) return;
    const panel = tracker.find((one) => one.node.contains(target));
    if (!panel) return;
    event.preventDefault();
    const cells = panel.content.widgets;
    panel.content.activeCellIndex = cells.findIndex((cell) => cell.node.contains(target));
    void insert(panel, text, run === true);
  });
}

/** Inserts a cell below the active one. It alone is selected, so that it alone is run next. */
function insertCode(notebook: Notebook, text: string): void {
  notebook.deselectAll();
  NotebookActions.insertBelow(notebook);
  // A user may have chosen another type for new cells.
  NotebookActions.changeCellType(notebook, "code");
  notebook.activeCell?.model.sharedModel.setSource(text);
}

async function insert(panel: NotebookPanel, text: string, run: boolean): Promise<void> {
  const notebook = panel.content;
  insertCode(notebook, text);
  if (run) await NotebookActions.run(notebook, panel.sessionContext);
}

/** Opens the notebook `scan_NAME.ipynb` beside a notebook, with the form in it. */
export class FormOpener {
  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly documents: IDocumentManager,
    private readonly tracker: INotebookTracker,
    private readonly browser: IDefaultFileBrowser | null,
    private readonly trans: TranslationBundle,
  ) {}

  /** Opens the form for the notebook with this path; without one the user chooses. */
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
    // IPython puts the values of variables in the places of {name} and $name.
    if (/[{}$\p{Cc}]/u.test(name)) throw new Error(this.trans.__(BAD_NAME));
    const open = this.documents.findWidget(path);
    // The form reads the file.
    if (open?.context.model.dirty) await open.context.save();
    const target = PathExt.join(PathExt.dirname(path), `scan_${name}`);
    const cell = `${LOAD}\n%gridscan ${quoted(name)}`;
    if (!(await this.exists(target))) await this.make(target, cell);
    const widget = this.documents.openOrReveal(target, "Notebook");
    // Notebook 7 opens it in a page of its own.
    if (!widget) return;
    await widget.context.ready;
    await widget.revealed;
    const panel = this.tracker.find((one) => one.context === widget.context);
    if (panel) await this.runForm(panel, cell);
  }

  /**
   * Whether a file is there. It is looked for in its folder, since asking for a file that is
   * missing leaves an error in the console of the browser.
   */
  private async exists(path: string): Promise<boolean> {
    const { contents } = this.app.serviceManager;
    const folder = await contents.get(PathExt.dirname(path), { content: true });
    return (folder.content as { path: string }[]).some((item) => item.path === path);
  }

  /** Saves a notebook with one cell. */
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

  /** Runs the cell that shows the form, which is inserted if it is not there any more. */
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
