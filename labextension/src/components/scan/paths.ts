/** Where an executed notebook opens: through this Jupyter server, if the server can see it. */
import type { Row, ScanInfo } from "../../wire";

/** What a page says about the Jupyter server that sent it. */
export interface ServerConfig {
  baseUrl: string;
  /** The folder that the server shows; `~` is the home folder of its user. */
  serverRoot: string;
  appName: string;
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");

const pathOf = (uri: string): string =>
  uri.startsWith("file:///") ? decodeURIComponent(uri.slice("file://".length)) : "";

/** What JupyterLab or Notebook 7 wrote into its page; null elsewhere. */
export function jupyterConfig(page: Document): ServerConfig | null {
  const found = page.getElementById("jupyter-config-data")?.textContent;
  if (!found) return null;
  try {
    const { baseUrl, serverRoot, rootUri, appName } = JSON.parse(found) as Record<string, unknown>;
    // Notebook 7 has no `serverRoot`.
    const root = text(serverRoot) || pathOf(text(rootUri));
    return { baseUrl: text(baseUrl) || "/", serverRoot: root, appName: text(appName) };
  } catch {
    return null;
  }
}

const trimmed = (path: string): string => path.replace(/\/+$/, "");

function expandHome(path: string, home: string): string {
  return path === "~" || path.startsWith("~/") ? trimmed(home) + path.slice(1) : path;
}

/** The part of a path below `root`; null where the path is not below it. */
function below(root: string, path: string): string | null {
  const base = trimmed(root);
  if (trimmed(path) === base) return "";
  return path.startsWith(`${base}/`) ? path.slice(base.length + 1) : null;
}

/** A path that stays inside its folder, or null. Paths of notebooks come from jobs. */
function inside(path: string | null): string | null {
  if (!path || path.startsWith("/") || path.includes("\\")) return null;
  return path.split("/").includes("..") ? null : path;
}

const join = (...segments: string[]): string => segments.map(trimmed).filter(Boolean).join("/");

/** The address at which the notebook of a row opens in this server; null if there is none. */
export function notebookUrl(row: Row, scan: ScanInfo, config: ServerConfig | null): string | null {
  const notebook = inside(row.notebook);
  if (!notebook || !scan.browse || !config?.serverRoot) return null;
  const root = expandHome(config.serverRoot, scan.home);
  const folder = below(root, expandHome(scan.browse, scan.home));
  // An address such as `javascript:` in the page's configuration must not become a link.
  if (folder === null || !/^(\/|https?:\/\/)/.test(config.baseUrl)) return null;
  const path = join(folder, notebook).split("/").map(encodeURIComponent).join("/");
  const app = /notebook/i.test(config.appName) ? "notebooks" : "lab/tree";
  return `${trimmed(config.baseUrl)}/${app}/${path}`;
}

/** The path of the notebook of a row on the machine where the scan is; null if there is none. */
export function notebookPath(row: Row, scan: ScanInfo): string | null {
  const notebook = inside(row.notebook);
  return notebook ? `${trimmed(scan.folder)}/${notebook}` : null;
}

/** A link that a backend gave, if it is a web address; null for anything else. */
export const webPage = (link: string | null | undefined): string | null =>
  link && /^https?:\/\//.test(link) ? link : null;
