/** The entry of the live table as an anywidget. */
import { subscribe, type Model, type ViewProps } from "./anywidget";
import { makeCurves } from "./components/plot/curvesview";
import { ScanStore } from "./components/scan/store";
import { LiveTable } from "./components/table/table";
import { asIncoming, type Link, type LinkEvent, type Outgoing, type Snapshot } from "./wire";
import "./widget.css";

/** The link to a scan over the comm of a widget. */
class CommLink implements Link {
  readonly peer = "kernel";

  constructor(private readonly model: Model) {}

  send(message: Outgoing): void {
    this.model.send(message);
  }

  subscribe(listener: (event: LinkEvent) => void): () => void {
    const message = (data: unknown): void => {
      const event = asIncoming(data);
      if (event) listener(event);
    };
    return subscribe(this.model, message, () => listener({ type: "closed" }));
  }
}

/** The snapshot that the trait holds, as an object or as JSON; null where it is neither. */
function savedSnapshot(model: Model): Snapshot | null {
  try {
    const value = model.get("snapshot");
    const message = asIncoming(typeof value === "string" ? JSON.parse(value) : value);
    return message?.type === "snapshot" ? message : null;
  } catch {
    return null;
  }
}

function openStore(model: Model): ScanStore {
  const store = new ScanStore(new CommLink(model));
  const snapshot = savedSnapshot(model);
  if (snapshot) store.offer(snapshot);
  store.hello();
  return store;
}

interface Widget {
  initialize(props: { model: Model }): () => void;
  render(props: ViewProps): () => void;
}

/**
 * Makes the widget of one model, which has any number of views.
 *
 * Messages are listened to from `initialize` on, so that none is missed before a view is drawn.
 */
export default function widget(): Widget {
  let store: ScanStore | null = null;
  let latest: LiveTable | null = null;
  return {
    initialize({ model }) {
      store ??= openStore(model);
      return () => {
        store?.dispose();
        store = null;
      };
    },
    render({ model, el }) {
      store ??= openStore(model);
      // When an output is renewed, its view is made anew; what the user arranged stays.
      const arrangement = latest?.saveArrangement() ?? null;
      const table = new LiveTable(store, makeCurves, { page: el.ownerDocument, arrangement });
      latest = table;
      el.append(table.element);
      return () => table.dispose();
    },
  };
}
