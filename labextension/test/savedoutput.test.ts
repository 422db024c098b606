/** What a notebook saved of a scan. Anybody may have written the notebook. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { makeCurves } from "../src/components/plot/curvesview";
import { ScanStore } from "../src/components/scan/store";
import { LiveTable } from "../src/components/table/table";
import { savedOutput } from "../src/lab/savedoutput";
import type { Snapshot } from "../src/wire";
import { FakeLink, metric, row, scan } from "./kit";

const WRONG: unknown[] = [null, true, 1e308, "__proto__", [[]], { toString: 1 }];
const rows = [
  row("v0001", { message: "It broke.", state: "failed", where: "X", gpu: "A", usage: { cpu: 1 } }),
  row("v0002", { link: "https://example.org/" }),
];
const base = scan(rows, {
  best: "v0002",
  best_value: 0.9,
  note: "a",
  warnings: ["b"],
  ended: 3000,
});

const output = (snapshot: unknown): unknown => ({ id: "s1", name: "btag", snapshot });
const snapshotOf = (head: unknown, all: unknown): unknown => ({
  type: "snapshot",
  rev: 0,
  scan: head,
  rows: all,
});

/** Draws a saved snapshot as the renderer of a notebook does; returns the text of the table. */
function drawn(snapshot: Snapshot): string {
  const store = new ScanStore(new FakeLink("server"));
  store.saved(snapshot);
  const table = new LiveTable(store, makeCurves, {});
  document.body.append(table.element);
  table.flush();
  vi.advanceTimersByTime(2100);
  const text = table.element.textContent ?? "";
  table.dispose();
  return text;
}

/** All ways to make one value of an object wrong. */
function* spoilt(sound: object): Generator<object> {
  for (const key of [...Object.keys(sound), "unknown"]) {
    for (const value of WRONG) yield { ...sound, [key]: value };
    yield Object.fromEntries(Object.entries(sound).filter(([name]) => name !== key));
  }
}

afterEach(() => {
  document.body.replaceChildren();
  vi.useRealTimers();
});

// Some hundred tables are drawn, on a machine that may be busy otherwise.
describe("a saved output", { timeout: 60_000 }, () => {
  it("is taken as it is where it is sound", () => {
    const taken = savedOutput(output(snapshotOf(base, rows)));
    expect(taken?.snapshot).toEqual({ type: "snapshot", rev: 0, scan: base, rows });
  });

  it.each([null, 1, "x", [], {}, { id: "../x" }, { id: 7 }])("is none: %j", (data) =>
    expect(savedOutput(data)).toBeNull(),
  );

  it("draws its other rows, whatever is wrong in one of them", () => {
    vi.useFakeTimers();
    for (const wrong of spoilt(rows[0] ?? {})) {
      const taken = savedOutput(output(snapshotOf(base, [wrong, rows[1]])));
      expect(taken?.snapshot).not.toBeNull();
      if (taken?.snapshot) expect(drawn(taken.snapshot)).toContain("v0002");
    }
  });

  it("draws its rows, whatever is wrong in its head", () => {
    vi.useFakeTimers();
    for (const wrong of spoilt(base)) {
      const taken = savedOutput(output(snapshotOf(wrong, rows)));
      if (taken?.snapshot) expect(drawn(taken.snapshot)).toContain("v0002");
    }
  });

  it("draws its rows, whatever is wrong in a metric, in usage or in the objective", () => {
    vi.useFakeTimers();
    for (const wrong of spoilt(metric(0.5, 0.9))) {
      const taken = savedOutput(
        output(snapshotOf(base, [row("v0002", { metrics: { acc: wrong } as never })])),
      );
      if (taken?.snapshot) expect(drawn(taken.snapshot)).toContain("v0002");
    }
    for (const wrong of spoilt(base.objective ?? {})) {
      const taken = savedOutput(output(snapshotOf({ ...base, objective: wrong }, rows)));
      if (taken?.snapshot) expect(drawn(taken.snapshot)).toContain("v0002");
    }
  });

  it("draws nothing of what is no list of rows", () => {
    for (const wrong of WRONG) {
      const taken = savedOutput(output(snapshotOf(base, wrong)));
      expect(taken === null || taken.snapshot === null || taken.snapshot.rows.length === 0).toBe(
        true,
      );
    }
  });
});
