/** What the plugins of the extension give each other. */
import { Token } from "@lumino/coreutils";
import type { Host } from "../components/scan/host";
import type { Connection } from "./connection";
import type { Rest } from "./rest";

/** The ways to the server. */
export interface Link {
  connection: Connection;
  rest: Rest;
}

/** The token of the ways to the server. */
export const ILink = new Token<Link>("jupyter-gridgpu:ILink");

/** What opens tabs. */
export interface Views extends Host {
  openTable(scan: { id: string; name: string }, what: "table" | "curves"): void;
}

/** The token of what opens tabs. */
export const IViews = new Token<Views>("jupyter-gridgpu:IViews");

/** Opens the form for the notebook with a path; without one the user chooses. */
export type ScanNotebook = (path?: string) => Promise<void>;

/** The token of the function that opens the form. */
export const IScanNotebook = new Token<ScanNotebook>("jupyter-gridgpu:IScanNotebook");

/** The MIME type of the output of a scan; Python writes it. */
export const MIME_TYPE = "application/vnd.gridgpu.scan+json";
