/** The plugins of the JupyterLab extension. */
import {
  ILabShell,
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin,
} from "@jupyterlab/application";
import { ICommandPalette } from "@jupyterlab/apputils";
import { IDocumentManager } from "@jupyterlab/docmanager";
import { IDefaultFileBrowser } from "@jupyterlab/filebrowser";
import { INotebookTracker } from "@jupyterlab/notebook";
import { IRenderMimeRegistry } from "@jupyterlab/rendermime";
import { ISettingRegistry } from "@jupyterlab/settingregistry";
import { ITranslator, nullTranslator } from "@jupyterlab/translation";
import type { Host } from "./components/scan/host";
import { setTranslator } from "./components/ui/i18n";
import { FormOpener, writeCells } from "./lab/cells";
import { Connection } from "./lab/connection";
import { ScanDrive } from "./lab/drive";
import { compareHomes } from "./lab/homes";
import { scansIcon } from "./lab/icon";
import { ScanNotifications } from "./lab/notifications";
import { SHOW_PANEL, SidePanel } from "./lab/panel";
import { addRenderer } from "./lab/renderer";
import { Renewal } from "./lab/renewal";
import { Rest } from "./lab/rest";
import { follow, type Settings } from "./lab/settings";
import {
  ILink,
  IScanNotebook,
  IViews,
  type Link,
  type ScanNotebook,
  type Views,
} from "./lab/tokens";
import { LabViews } from "./lab/views";
import "./index.css";

const DOMAIN = "jupyter-gridgpu";
const SCAN_NOTEBOOK = "gridgpu:scan-notebook";
const describedBy = { args: { type: "object" } } as const;

const link: JupyterFrontEndPlugin<Link> = {
  id: "jupyter-gridgpu:link",
  description: "The page's one connection to the server extension.",
  autoStart: true,
  provides: ILink,
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, translator: ITranslator | null) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    setTranslator((text, ...values) => trans.__(text, ...values));
    const rest = new Rest(app.serviceManager.serverSettings);
    app.serviceManager.contents.addDrive(new ScanDrive(rest));
    return { rest, connection: new Connection(rest) };
  },
};

/** Notebook 7 shows one document in a page, so a table opens a job below its rows. */
const withoutTabs = (host: Host): Host => ({
  openNotebook: (scan, row) => host.openNotebook?.(scan, row),
  say: (text) => host.say?.(text),
});

const views: JupyterFrontEndPlugin<Views> = {
  id: "jupyter-gridgpu:views",
  description: "Tabs with a scan's table and curves, and with one job.",
  autoStart: true,
  provides: IViews,
  requires: [ILink, IDocumentManager],
  optional: [ILayoutRestorer, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    { connection }: Link,
    documents: IDocumentManager,
    restorer: ILayoutRestorer | null,
    translator: ITranslator | null,
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const made = new LabViews(app, connection, documents, trans);
    if (restorer) made.restore(restorer);
    return made;
  },
};

const output: JupyterFrontEndPlugin<void> = {
  id: "jupyter-gridgpu:output",
  description: "Draws the output of %%gridscan live from the server.",
  autoStart: true,
  requires: [ILink, IViews, IRenderMimeRegistry],
  optional: [ILabShell, INotebookTracker],
  activate: (
    _app: JupyterFrontEnd,
    { connection, rest }: Link,
    made: Views,
    rendermime: IRenderMimeRegistry,
    shell: ILabShell | null,
    tracker: INotebookTracker | null,
  ) => {
    const host = shell ? made : withoutTabs(made);
    addRenderer(rendermime, connection, host, new Renewal(rest, tracker));
    compareHomes(rest, connection);
  },
};

const form: JupyterFrontEndPlugin<ScanNotebook> = {
  id: "jupyter-gridgpu:form",
  description: "'Scan this notebook…', and the cell that the form writes.",
  autoStart: true,
  provides: IScanNotebook,
  requires: [IDocumentManager, INotebookTracker],
  optional: [IDefaultFileBrowser, ICommandPalette, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    documents: IDocumentManager,
    tracker: INotebookTracker,
    browser: IDefaultFileBrowser | null,
    palette: ICommandPalette | null,
    translator: ITranslator | null,
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const opener = new FormOpener(app, documents, tracker, browser, trans);
    // In the file browser the command is for the selected file, elsewhere for the open notebook.
    const chosen = (): string | undefined => {
      const item = browser?.isVisible ? browser.selectedItems().next().value : undefined;
      return item?.type === "notebook" ? item.path : undefined;
    };
    writeCells(tracker);
    app.commands.addCommand(SCAN_NOTEBOOK, {
      label: ({ from }) =>
        from === "toolbar" ? trans.__("Scan") : trans.__("Scan This Notebook…"),
      caption: trans.__("Train this notebook with many other parameters"),
      icon: scansIcon,
      describedBy,
      execute: ({ from }) =>
        opener.open(from === "browser" ? chosen() : tracker.currentWidget?.context.path),
    });
    palette?.addItem({ command: SCAN_NOTEBOOK, category: trans.__("Scans") });
    return (path) => opener.open(path ?? tracker.currentWidget?.context.path);
  },
};

const panel: JupyterFrontEndPlugin<void> = {
  id: "jupyter-gridgpu:panel",
  description: "The side panel: scans and their jobs.",
  autoStart: true,
  requires: [ILink, IViews, IScanNotebook],
  optional: [ILabShell, ILayoutRestorer, ICommandPalette, ISettingRegistry, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    link: Link,
    host: Views,
    scanNotebook: ScanNotebook,
    shell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    registry: ISettingRegistry | null,
    translator: ITranslator | null,
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const { connection } = link;
    const notifications = new ScanNotifications(connection, host, trans);
    if (registry)
      void follow(
        registry,
        link,
        (settings: Settings) => (notifications.enabled = settings.notify),
      );
    // The panel is made for JupyterLab's own shell; Notebook 7 has another one.
    if (!shell) return;
    const side = new SidePanel(connection, host, scanNotebook, trans);
    shell.add(side, "left", { rank: 510, type: trans.__("Scans") });
    restorer?.add(side, side.id);
    app.commands.addCommand(SHOW_PANEL, {
      label: trans.__("Scans"),
      caption: trans.__("Show the panel with all scans and their jobs"),
      describedBy,
      execute: () => shell.activateById(side.id),
    });
    palette?.addItem({ command: SHOW_PANEL, category: trans.__("Scans") });
  },
};

const plugins: JupyterFrontEndPlugin<unknown>[] = [link, views, output, form, panel];

/** All plugins of the extension. */
export default plugins;
