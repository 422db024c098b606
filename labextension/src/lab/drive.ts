/** A read-only drive with the executed notebooks of all scans, as the server extension has them. */
import type { Contents, ServerConnection } from "@jupyterlab/services";
import { Signal } from "@lumino/signaling";
import type { Rest } from "./rest";

/** The name of the drive, which is the first part of its paths. */
export const DRIVE = "gridgpu";

const READ_ONLY = "The notebooks of a scan are read-only; save a copy elsewhere.";
const refuse = (): Promise<never> => Promise.reject(new Error(READ_ONLY));

/**
 * The path of the notebook of a variant: `gridgpu:SCAN/NAME-v0017.ipynb`.
 *
 * The id of the scan is there for the server, its name for people.
 */
export const notebookFile = (scan: { id: string; name: string }, variant: string): string =>
  `${DRIVE}:${scan.id}/${scan.name}-${variant}.ipynb`;

/** The scan, the job and the file name in a path; null for a path of another form. */
function parse(path: string): { scan: string; job: string; name: string } | null {
  const found = /^([^/]+)\/([^/]*-(v\d+(?:\.\d+)?)\.ipynb)$/.exec(path);
  return found ? { scan: found[1] ?? "", name: found[2] ?? "", job: found[3] ?? "" } : null;
}

/** The drive. JupyterLab asks it for notebooks; whatever would change one is refused. */
export class ScanDrive implements Contents.IDrive {
  readonly name = DRIVE;
  readonly fileChanged = new Signal<this, Contents.IChangedArgs>(this);
  readonly newUntitled = refuse;
  readonly delete = refuse;
  readonly rename = refuse;
  readonly save = refuse;
  readonly copy = refuse;
  readonly createCheckpoint = refuse;
  readonly restoreCheckpoint = refuse;
  readonly deleteCheckpoint = refuse;
  isDisposed = false;

  constructor(private readonly rest: Rest) {}

  get serverSettings(): ServerConnection.ISettings {
    return this.rest.settings;
  }

  async get(path: string): Promise<Contents.IModel> {
    const asked = parse(path);
    if (asked === null) return folder(path);
    const { scan, job, name } = asked;
    const model = await this.rest.get<Contents.IModel>(["scans", scan, "jobs", job, "notebook"]);
    // The server has the notebook under another name and path.
    return { ...model, name, path, writable: false };
  }

  getDownloadUrl(path: string): Promise<string> {
    return Promise.reject(new Error(`${path} cannot be downloaded; save a copy of it.`));
  }

  listCheckpoints(): Promise<Contents.ICheckpointModel[]> {
    return Promise.resolve([]);
  }

  dispose(): void {
    this.isDisposed = true;
    Signal.clearData(this);
  }
}

/** An empty folder: JupyterLab asks for the folder of each file that it opens. */
function folder(path: string): Contents.IModel {
  const times = { created: "1970-01-01T00:00:00Z", last_modified: "1970-01-01T00:00:00Z" };
  const name = path.split("/").pop() ?? "";
  return {
    ...{ ...times, name, path, type: "directory", format: "json", mimetype: "" },
    ...{ writable: false, content: [] },
  };
}
