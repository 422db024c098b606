/** The anywidget entry. One instance per model, any number of views of it. */
import { makeCurves } from "./components/plot/curvesview";
import { ScanStore } from "./components/scan/store";
import { LiveTable } from "./components/table/table";
import { asIncoming, type Link, type LinkEvent, type Outgoing, type Snapshot } from "./wire";
import "./widget.css";

/** The part of anywidget's model that is used here. */
export interface Model {
  get(name: string): unknown;
  send(content: unknown): void;
  on(name: string, callback: (...args: never[]) => void): void;
  off(name?: string | null, callback?: ((...args: never[]) => void) | null): void;
}

class CommLink implements Link {
  readonly peer = "kernel";

  constructor(private readonly model: Model) {}

  send(message: Outgoing): void {
    this.model.send(message);
  }

  subscribe(fn: (event: LinkEvent) => void): () => void {
    const message = (data: unknown): void => {
      const event = asIncoming(data);
      if (event) fn(event);
    };
    const closed = (): void => fn({ type: "closed" });
    this.model.on("msg:custom", message);
    this.model.on("comm:close", closed);
    return () => {
      this.model.off("msg:custom", message);
      this.model.off("comm:close", closed);
    };
  }
}

/** The trait holds the first message, as an object or as JSON. */
function first(model: Model): Snapshot | null {
  try {
    const value = model.get("snapshot");
    const message = asIncoming(typeof value === "string" ? JSON.parse(value) : value);
    return message?.type === "snapshot" ? message : null;
  } catch {
    return null;
  }
}

function open(model: Model): ScanStore {
  const store = new ScanStore(new CommLink(model));
  const known = first(model);
  if (known) store.offer(known);
  store.hello();
  return store;
}

interface Widget {
  initialize(props: { model: Model }): () => void;
  render(props: { model: Model; el: HTMLElement }): () => void;
}

/** Messages are listened to from `initialize`, so that none is missed before a view is drawn. */
export default function widget(): Widget {
  let store: ScanStore | null = null;
  let latest: LiveTable | null = null;
  return {
    initialize({ model }) {
      store ??= open(model);
      return () => {
        store?.dispose();
        store = null;
      };
    },
    render({ model, el }) {
      store ??= open(model);
      // When the output is renewed, its view is made anew: what was arranged stays.
      const table = new LiveTable(store, makeCurves, {
        page: el.ownerDocument,
        arrangement: latest?.saveArrangement() ?? null,
      });
      latest = table;
      el.append(table.element);
      return () => table.dispose();
    },
  };
}
