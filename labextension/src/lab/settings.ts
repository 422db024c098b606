/** The settings of the extension. */
import { Notification } from "@jupyterlab/apputils";
import type { ISettingRegistry } from "@jupyterlab/settingregistry";
import { setPreferences } from "../components/scan/preferences";
import type { Rest } from "./rest";
import type { Link } from "./tokens";

/** The settings as a user chose them. */
export interface Settings {
  /** How many seconds pass before an open log is read again. */
  refresh_s: number;
  /** Columns that a new table does not show, by the texts in their headers. */
  hidden: string[];
  /** The folder of the scans on the server; empty for the one that the server chooses. */
  home: string;
  /** Notify when a scan ends. */
  notify: boolean;
}

const PLUGIN = "jupyter-gridgpu:panel";

function read(settings: ISettingRegistry.ISettings): Settings {
  const { refreshInterval, hiddenColumns, homeFolder, notifications } = settings.composite;
  const hidden = Array.isArray(hiddenColumns) ? hiddenColumns : [];
  return {
    refresh_s: typeof refreshInterval === "number" ? refreshInterval : 1,
    hidden: hidden.filter((name) => typeof name === "string"),
    home: typeof homeFolder === "string" ? homeFolder : "",
    notify: notifications !== false,
  };
}

/** Applies the settings now and whenever they change. */
export async function follow(
  registry: ISettingRegistry,
  { rest, connection }: Link,
  apply: (settings: Settings) => void,
): Promise<void> {
  const loaded = await registry.load(PLUGIN);
  let home = "";
  const greet = (): Promise<void> => move(rest, home);
  const changed = (): void => {
    const settings = read(loaded);
    setPreferences({ refresh_s: settings.refresh_s, hidden: settings.hidden });
    const moved = settings.home !== home;
    home = settings.home;
    // A server that is started again has to be told the folder again.
    if (home) connection.greet = greet;
    if (moved) void greet();
    apply(settings);
  };
  loaded.changed.connect(changed);
  changed();
}

/** Tells the server in which folder the scans are. */
async function move(rest: Rest, home: string): Promise<void> {
  try {
    await rest.put(["home"], { home });
  } catch (error) {
    Notification.error(error instanceof Error ? error.message : String(error));
  }
}
