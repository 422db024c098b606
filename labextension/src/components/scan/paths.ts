/** Where a notebook opens: through this Jupyter server if it can see it. Pure but for `jupyterConfig`. */
import type { Row, ScanInfo } from "../../wire";

export interface Config {
  baseUrl: string;
  serverRoot: string;
  appName: string;
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");

const pathOf = (uri: string): string =>
  uri.startsWith("file:///") ? decodeURIComponent(uri.slice("file://".length)) : "";

/** What JupyterLab or Notebook 7 wrote into its page; null elsewhere. */
export function jupyterConfig(page: Document): Config | null {
  const found = page.getElementById("jupyter-config-data")?.textContent;
  if (!found) return null;
  try {
    const { baseUrl, serverRoot, rootUri, appName } = JSON.parse(found) as Record<string, unknown>;
    const root = text(serverRoot) || pathOf(text(rootUri)); // Notebook 7 has the second only
    return { baseUrl: text(baseUrl) || "/", serverRoot: root, appName: text(appName) };
  } catch {
    return null;
  }
}

const trimmed = (path: string): string => path.replace(/\/+$/, "");

function expandHome(path: string, home: string): string {
  return path === "~" || path.startsWith("~/") ? trimmed(home) + path.slice(1) : path;
}

/** The path below the root, or null when it is not below. */
function below(root: string, path: string): string | null {
  const base = trimmed(root);
  if (trimmed(path) === base) return "";
  return path.startsWith(`${base}/`) ? path.slice(base.length + 1) : null;
}

/** Relative, and never upwards: it comes from a job. */
function safe(path: string | null): string | null {
  if (!path || path.startsWith("/") || path.includes("\\")) return null;
  return path.split("/").includes("..") ? null : path;
}

const join = (...parts: string[]): string => parts.map(trimmed).filter(Boolean).join("/");

export function notebookUrl(row: Row, scan: ScanInfo, config: Config | null): string | null {
  const notebook = safe(row.notebook);
  if (!notebook || !scan.browse || !config?.serverRoot) return null;
  const folder = below(
    expandHome(config.serverRoot, scan.home),
    expandHome(scan.browse, scan.home),
  );
  if (folder === null || !/^(\/|https?:\/\/)/.test(config.baseUrl)) return null;
  const path = join(folder, notebook).split("/").map(encodeURIComponent).join("/");
  const app = /notebook/i.test(config.appName) ? "notebooks" : "lab/tree";
  return `${trimmed(config.baseUrl)}/${app}/${path}`;
}

export function notebookPath(row: Row, scan: ScanInfo): string | null {
  const notebook = safe(row.notebook);
  return notebook ? `${trimmed(scan.folder)}/${notebook}` : null;
}

/** An address of the web that an engine gave; null for anything else. */
export const webPage = (link: string | null | undefined): string | null =>
  link && /^https?:\/\//.test(link) ? link : null;
