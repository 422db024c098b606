/** Scans for the tests of the panel. */
import type { Row, ScanInfo } from "../src/wire";
import { row, scan } from "./kit";

export const now = (): number => Date.now() / 1000;

export function rows(): Row[] {
  return [
    ...[1, 2, 3, 4, 5, 6].map((i) =>
      row(`v000${i}`, { state: "running", step: i, value: i / 10, ended: null }),
    ),
    row("v0011", { state: "queued", value: null, where: "MANC", message: "Next in line." }),
    ...[21, 22, 23, 24].map((i) => row(`v00${i}`, { value: i / 100 })),
    row("v0031", { state: "failed", reason: "oom", message: "Out of memory in cell 3." }),
    row("v0032", { state: "lost" }),
  ];
}

export function one(
  id: string,
  all: Row[] = rows(),
  more: Partial<ScanInfo> = {},
): [ScanInfo, Row[]] {
  const best = { best: "v0024", best_value: 0.24 };
  return [scan(all, { id, name: id, created: now() - 600, now: now(), ...best, ...more }), all];
}

export const ended = (id: string): Partial<ScanInfo> => ({
  id,
  name: id,
  state: "done",
  ended: now() - 60,
});
