/** Draws the output of a `%%gridscan` cell with the rows that the server has. */
import { type IRenderMime, type IRenderMimeRegistry } from "@jupyterlab/rendermime";
import type { Message } from "@lumino/messaging";
import { Widget } from "@lumino/widgets";
import { makeCurves } from "../components/plot/curvesview";
import type { Host } from "../components/scan/host";
import type { ScanStore } from "../components/scan/store";
import { LiveTable } from "../components/table/table";
import { setText } from "../components/ui/dom";
import { t } from "../components/ui/i18n";
import { clip } from "../components/ui/text";
import { asIncoming, type Snapshot } from "../wire";
import type { Connection } from "./connection";
import type { Renewal } from "./renewal";
import { MIME_TYPE } from "./tokens";

const WIDGET = "application/vnd.jupyter.widget-view+json";
/** A lower rank than that of ipywidgets: where an output has both forms, ours is drawn. */
const RANK = -20;

/** What an output holds. */
interface SavedOutput {
  id: string;
  snapshot: Snapshot | null;
}

/** Reads an output. It comes from a file, so each part of it is checked. */
function saved(model: IRenderMime.IMimeModel): SavedOutput | null {
  const data = model.data[MIME_TYPE] as { id?: unknown; snapshot?: unknown } | undefined;
  if (typeof data?.id !== "string" || !/^[\w.-]{1,100}$/.test(data.id)) return null;
  return { id: data.id, snapshot: sound(data.snapshot) };
}

const ENDED = new Set(["done", "stopped"]);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A snapshot with the parts that a table needs, or none. */
function sound(data: unknown): Snapshot | null {
  const snapshot = asIncoming(data);
  if (snapshot?.type !== "snapshot" || !isObject(snapshot.scan)) return null;
  const { scan, rows } = snapshot;
  const heads = Array.isArray(scan.params) && Array.isArray(scan.varied) && isObject(scan.counts);
  const rowsSound =
    Array.isArray(rows) &&
    rows.every((row) => isObject(row) && isObject(row.params) && isObject(row.metrics));
  return heads && rowsSound && typeof scan.name === "string" ? snapshot : null;
}

/**
 * One output. Where the server does not know its scan, the rows are shown as they were saved, or
 * the widget of the kernel takes the place of the table.
 */
class ScanOutput extends Widget implements IRenderMime.IRenderer {
  private scan: string | null = null;
  private table: LiveTable | null = null;
  private store: ScanStore | null = null;
  /** Ends what listens or waits. */
  private stop: (() => void) | null = null;
  /** The end that the notebook was renewed with. */
  private renewedEnd = "";

  constructor(
    private readonly connection: Connection,
    private readonly host: Host,
    private readonly renewal: Renewal,
    private readonly widgetOf: (node: Node) => IRenderMime.IRenderer | null,
  ) {
    super();
    this.addClass("gridgpu-output");
  }

  /** It is asynchronous, so that an error is shown in the output and breaks nothing around it. */
  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const data = saved(model);
    if (data === null) {
      this.clear();
      setText(this.node, "This output holds no scan.");
    } else if (data.id !== this.scan) {
      // The same scan again is a renewed output, whose table is live already.
      this.draw(data, model);
    }
  }

  override dispose(): void {
    this.clear();
    super.dispose();
  }

  private draw({ id, snapshot }: SavedOutput, model: IRenderMime.IMimeModel): void {
    this.clear();
    this.scan = id;
    const store = this.connection.open(id);
    this.store = store;
    if (snapshot) store.saved(snapshot);
    this.table = new LiveTable(store, makeCurves, {
      page: this.node.ownerDocument,
      host: this.host,
    });
    this.node.replaceChildren(this.table.element);
    const offs = [this.replaceIfMissing(store, model), store.on(() => this.renewAtEnd(store))];
    this.stop = () => offs.forEach((off) => off());
    this.renewAtEnd(store);
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    if (this.store) this.renewAtEnd(this.store);
  }

  /** Renews what the notebook keeps, once the server has said how the scan ended. */
  private renewAtEnd(store: ScanStore): void {
    const { scan, fresh } = store;
    if (!scan || !fresh || !ENDED.has(scan.state) || !this.isAttached) return;
    const end = JSON.stringify([scan.state, scan.ended, scan.counts]);
    if (end === this.renewedEnd) return;
    this.renewedEnd = end;
    // It is tried again with the next view of the output.
    void this.renewal.renew(this.node, scan.id).catch(() => undefined);
  }

  /**
   * Lets the widget take the place of the table if the server does not know the scan. A kernel on
   * another machine may know it.
   */
  private replaceIfMissing(store: ScanStore, model: IRenderMime.IMimeModel): () => void {
    const replace = (): void => {
      // A widget runs code, so it needs the trust of the user.
      if (this.table === null || !(WIDGET in model.data) || !model.trusted) return;
      this.stop?.();
      const widget = this.widgetOf(this.node);
      const name = clip(store.scan?.name ?? this.scan ?? "", 60);
      if (widget) this.replaceOnceDrawn(widget, model, name);
    };
    // Another output of the scan may have found that out before.
    if (store.missing) queueMicrotask(replace);
    return store.on((change) => change.type === "missing" && replace());
  }

  /** Shows the widget once it has a table; if its kernel has ended, it never gets one. */
  private replaceOnceDrawn(
    widget: IRenderMime.IRenderer,
    model: IRenderMime.IMimeModel,
    name: string,
  ): void {
    const observer = new MutationObserver(() => {
      if (!widget.node.querySelector(".gridgpu-table")) return;
      observer.disconnect();
      this.table?.element.remove();
      widget.node.hidden = false;
      this.connection.noteElsewhere(
        t("%1 is kept where this server does not see it. It is shown under its cell alone.", name),
      );
    });
    widget.node.hidden = true;
    observer.observe(widget.node, { childList: true, subtree: true });
    this.stop = () => {
      observer.disconnect();
      widget.dispose();
    };
    Widget.attach(widget, this.node);
    void widget.renderModel(model);
  }

  private clear(): void {
    this.stop?.();
    this.table?.dispose();
    if (this.scan !== null) this.connection.release(this.scan);
    this.scan = null;
    this.store = null;
    this.renewedEnd = "";
    this.table = null;
    this.stop = null;
  }
}

/** Makes JupyterLab draw outputs of our MIME type with live tables. */
export function addRenderer(
  rendermime: IRenderMimeRegistry,
  connection: Connection,
  host: Host,
  renewal: Renewal,
): void {
  // Only a notebook's own registry draws widgets: they need the manager of its kernel.
  const widgetOf = (node: Node): IRenderMime.IRenderer | null => {
    const own = renewal.panelOf(node)?.content.rendermime ?? rendermime;
    return own.mimeTypes.includes(WIDGET) ? own.createRenderer(WIDGET) : null;
  };
  rendermime.addFactory(
    {
      safe: true,
      mimeTypes: [MIME_TYPE],
      createRenderer: () => new ScanOutput(connection, host, renewal, widgetOf),
    },
    RANK,
  );
}
