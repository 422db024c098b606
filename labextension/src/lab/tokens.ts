/** What the plugins give each other. */
import { Token } from "@lumino/coreutils";
import type { Host } from "../components/scan/host";
import type { Connection } from "./connection";
import type { Rest } from "./rest";

export interface Link {
  connection: Connection;
  rest: Rest;
}

export const ILink = new Token<Link>("jupyter-gridgpu:ILink");

export interface Views extends Host {
  openTable(scan: { id: string; name: string }, what: "table" | "curves"): void;
}

export const IViews = new Token<Views>("jupyter-gridgpu:IViews");

/** Opens the form for a notebook; without a path it asks for one. */
export type ScanNotebook = (path?: string) => Promise<void>;

export const IScanNotebook = new Token<ScanNotebook>("jupyter-gridgpu:IScanNotebook");

export const MIME_TYPE = "application/vnd.gridgpu.scan+json";
