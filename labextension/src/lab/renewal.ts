/** Renews what a notebook keeps of a scan, once the scan has ended. */
import type { ICodeCellModel } from "@jupyterlab/cells";
import type { IOutput } from "@jupyterlab/nbformat";
import type { INotebookTracker, NotebookPanel } from "@jupyterlab/notebook";
import { JSONExt, type ReadonlyPartialJSONObject } from "@lumino/coreutils";
import type { Rest } from "./rest";
import { MIME_TYPE } from "./tokens";

/** The kernel renews the output too, if the page has run the cell; so many milliseconds are its. */
const KERNEL_FIRST = 1000;
/** A window that shares the notebook with others leaves the renewal to one of them for so long. */
const OTHERS_FIRST = 10_000;

type Forms = ReadonlyPartialJSONObject;

/** What a notebook that several windows share knows of them. */
interface Awareness {
  clientID: number;
  getStates(): ReadonlyMap<number, unknown>;
}

/** Whether this window renews first: of all windows that share a notebook, one does. */
export function leads(awareness: Awareness | null | undefined): boolean {
  if (!awareness) return true;
  return Math.min(awareness.clientID, ...awareness.getStates().keys()) === awareness.clientID;
}

/** A text is saved as one string or as a list of its lines. */
const joined = (value: unknown): unknown =>
  Array.isArray(value) && value.every((line) => typeof line === "string") ? value.join("") : value;

/** An output with these forms of its scan; null if it is of another scan or has them already. */
export function renewed(output: IOutput, scan: string, forms: Forms): IOutput | null {
  const data = output["data"] as ReadonlyPartialJSONObject | undefined;
  const kept = data?.[MIME_TYPE] as { id?: unknown } | undefined;
  if (!data || kept?.id !== scan) return null;
  const same = Object.entries(forms).every(([type, form]) =>
    JSONExt.deepEqual(joined(data[type] ?? null) as never, form as never),
  );
  return same ? null : ({ ...output, data: { ...data, ...forms } } as IOutput);
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((done) => setTimeout(done, milliseconds));

/** Finds the notebook around an output, and renews its data. */
export class Renewal {
  constructor(
    private readonly rest: Rest,
    private readonly tracker: INotebookTracker | null,
  ) {}

  /** The notebook that an element is in. */
  panelOf(node: Node): NotebookPanel | null {
    return this.tracker?.find((panel) => panel.node.contains(node)) ?? null;
  }

  /** Renews the outputs of a scan in the cell around an element, if they show something else. */
  async renew(node: Node, scan: string): Promise<void> {
    await pause(KERNEL_FIRST);
    const shared = this.panelOf(node)?.content.model?.sharedModel as
      { awareness?: Awareness | null } | undefined;
    if (!leads(shared?.awareness)) await pause(OTHERS_FIRST);
    const { data } = await this.rest.get<{ data: Forms }>(["scans", scan, "output"]);
    const panel = this.panelOf(node);
    if (!panel || panel.context.contentsModel?.writable === false) return;
    const cell = panel.content.widgets.find((one) => one.node.contains(node));
    if (cell?.model.type !== "code") return;
    const { outputs } = cell.model as ICodeCellModel;
    for (let i = 0; i < outputs.length; i += 1) {
      const output = renewed(outputs.get(i).toJSON(), scan, data);
      if (output) outputs.set(i, output);
    }
  }
}
