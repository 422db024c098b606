/** Where the panel gets its scans from. */
import type { LeftOutScan, Queues, ScanInfo } from "../../wire";
import type { ScanStore } from "../scan/store";

/** All scans that the server knows. */
export interface ScanSource {
  /** The scans by their ids. */
  readonly scans: ReadonlyMap<string, ScanInfo>;
  /** There is no connection. */
  readonly closed: boolean;
  /** When the server was last heard, in Unix seconds; 0 before that. */
  readonly received: number;
  /** Seconds until the next try to connect, counted from the last change. */
  readonly retry_s?: number | undefined;
  /** The server does not know this page any more. */
  readonly refused?: boolean;
  /** Sentences about scans that a kernel keeps where the server does not see them. */
  readonly elsewhere?: readonly string[];
  /** Folders of the home that cannot be shown as scans, and why. */
  readonly leftOut?: readonly LeftOutScan[];
  /** Calls `listener` after each change; returns a function that ends this. */
  on(listener: () => void): () => void;
  /** Opens a scan. Its store is shared by all who opened it, and each of them releases it. */
  open(id: string): ScanStore;
  release(id: string): void;
  /** Tries to connect now. */
  tryNow(): void;
  /** Reads the end of what the runner of a scan wrote. */
  runnerLog(id: string): Promise<string>;
  /** Reads where GPUs are. The server asks the batch systems at most once a minute. */
  queues(): Promise<Queues>;
}
