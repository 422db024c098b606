/** All scans the server knows, as the panel needs them. */
import type { Queues, ScanInfo } from "../../wire";
import type { ScanStore } from "../scan/store";

export interface ScanSource {
  readonly scans: ReadonlyMap<string, ScanInfo>;
  readonly closed: boolean;
  /** When the server was last heard, in unix seconds. */
  readonly received: number;
  /** Seconds until the next try, counted from the last change. */
  readonly retry_s?: number | undefined;
  /** Tells of every change; returns the way to unsubscribe. */
  on(fn: () => void): () => void;
  /** Shared by all who opened it; each of them releases it. */
  open(id: string): ScanStore;
  release(id: string): void;
  tryNow(): void;
  /** The end of what the scan's runner wrote. */
  runnerLog(id: string): Promise<string>;
  /** Where GPUs are; the server asks the engines at most once a minute. */
  queues(): Promise<Queues>;
}
