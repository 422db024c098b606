import { describe, expect, it } from "vitest";
import { notebookPath, notebookUrl } from "../src/components/scan/paths";
import { actionsFor } from "../src/components/scan/progress";
import { byId } from "../src/components/scan/rows";
import { failures, stopQuestion } from "../src/components/scan/sentences";
import { RowStatistics, share } from "../src/components/scan/statistics";
import { layoutColumns } from "../src/components/table/columnlayout";
import { buildColumns } from "../src/components/table/columns";
import { parseFilter } from "../src/components/table/filter";
import {
  withOpenGroups,
  groupRepeats,
  groupKey,
  keepOrder,
  linesOf,
  movedCount,
  sortLines,
} from "../src/components/table/lines";
import { sparkline, sparkScale } from "../src/components/table/sparkline";
import { usageSentence } from "../src/components/table/variantpane";
import type { Row } from "../src/wire";
import { metric, row, scan } from "./kit";

const names = { params: new Set(["lr", "opt"]), metrics: new Set(["loss"]) };
const matches = (text: string, one: Row): boolean => parseFilter(text, names).test(one);

describe("filter", () => {
  const one = row("v0017", {
    params: { lr: 5e-4, opt: "Adam W" },
    state: "failed",
    message: "Out of memory",
    metrics: { loss: metric(0.3) },
  });
  it.each([
    ["", true],
    ["adam", true],
    ["v0017 failed", true],
    ["not failed", false],
    ["not queued memory", true],
    ["lr<1e-3", true],
    ["lr < 1e-3", true],
    ["lr>=1e-3", false],
    ["loss>0.2", true],
    ["state:failed", true],
    ["not state:failed", false],
    ['opt:"adam w"', true],
    ["opt=adam", false],
    ["epoch=20", true],
  ])("%s", (text, expected) => expect(matches(text, one)).toBe(expected));
  it.each([
    ["mom:–", false, true],
    ["mom=–", false, true],
    ["mom=-", false, true],
    ["mom!=-", true, false],
    ["not mom:–", true, false],
    ["mom<1", true, false],
    ["mom!=0.5", true, false],
    ["kind!=nesterov", true, false],
    ["kind:–", false, true],
  ])("knows where a parameter is not active: %s", (text, active, inactive) => {
    const known = { params: new Set(["opt", "mom", "kind"]), metrics: new Set<string>() };
    const { test } = parseFilter(text, known);
    const sgd = row("v0001", { params: { opt: "sgd", mom: 0.9, kind: "plain" } });
    expect([test(sgd), test(row("v0002", { params: { opt: "adam" } }))]).toEqual([
      active,
      inactive,
    ]);
  });
  it("matches nothing and says why when it makes no sense", () => {
    expect(parseFilter("lrr<1", names).hint).toBe("no column is called lrr");
    expect(parseFilter("lr<", names).hint).toBe("lr< needs a value");
    expect(parseFilter("lr<x", names).hint).toBe("x is not a number");
    expect(parseFilter("not", names).hint).toBe("not needs a word behind it");
    expect(matches("lrr<1", one)).toBe(false);
    expect(parseFilter("constructor:x", names).hint).toBe("no column is called constructor");
  });
});

describe("order", () => {
  const rows = [
    row("v0001", { value: 0.5 }),
    row("v0002", { value: "NaN" }),
    row("v0003", { value: 0.9 }),
    row("v0004", { value: null, state: "queued" }),
    row("v0005", { value: 0.99, state: "failed" }),
  ];
  const facts = new RowStatistics();
  rows.forEach((one) => facts.add(one));
  const objective = buildColumns(scan(rows), facts).find(({ kind }) => kind === "objective");
  const sorted = (descending: boolean): string[] =>
    sortLines(linesOf(rows, false), objective, descending, 0).map(({ key }) => key);
  it("puts NaN, missing and failed last either way", () => {
    expect(sorted(true)).toEqual(["v0003", "v0001", "v0002", "v0004", "v0005"]);
    expect(sorted(false)).toEqual(["v0001", "v0003", "v0002", "v0004", "v0005"]);
  });
  it("knows that v9999 comes before v10000", () => expect(byId("v9999", "v10000")).toBeLessThan(0));
  it("counts the least number of rows a sort would move", () => {
    expect(movedCount([0, 1, 2, 3])).toBe(0);
    expect(movedCount([3, 0, 1, 2])).toBe(1);
  });
  it("keeps rows still and puts new ones last", () => {
    const still = keepOrder(sortLines(linesOf(rows, false), objective, true, 0), [
      "v0001",
      "v0003",
      "v0002",
      "v0004",
    ]);
    expect(still.lines.map(({ key }) => key)).toEqual([
      "v0001",
      "v0003",
      "v0002",
      "v0004",
      "v0005",
    ]);
    expect(still.moved).toBe(1);
  });
  it("folds repeats of one point and opens them again", () => {
    const seeds = [0, 1, 2].map((repeat) => row(`v000${repeat}`, { point: 7, repeat }));
    const folded = groupRepeats([...seeds, row("v0009")]);
    expect(folded.map(({ key }) => key)).toEqual([groupKey(7), "v0009"]);
    expect(withOpenGroups(folded, new Set([groupKey(7)]))).toHaveLength(5);
  });
});

describe("columns", () => {
  const more = {
    params: { lr: 0.1, units: 64, seed: 1 },
    metrics: {
      acc: metric(0.9),
      ...Object.fromEntries(["a", "b", "c", "d", "e"].map((name) => [name, metric(1)])),
    },
  };
  const rows = [
    row("v0001", { ...more, where: "CERN", gpu: "A100" }),
    row("v0002", { ...more, params: { lr: 0.2, units: 64 } }),
  ];
  const facts = new RowStatistics();
  rows.forEach((one) => facts.add(one));
  const all = buildColumns(scan(rows, { backend: "panda" }), facts);
  const hooks = (width: number, prefs = new Map<string, boolean>()): string[] =>
    layoutColumns(all, prefs, width).map(({ hook }) => hook);
  it("hide fixed parameters and more than four metrics", () => {
    const shown = hooks(4000);
    expect(shown).toContain("lr");
    expect(shown).not.toContain("units");
    expect(shown.filter((hook) => hook.startsWith("metric:"))).toHaveLength(4);
  });
  it("keep id, state and objective however narrow", () => {
    expect(hooks(10)).toEqual(["select", "id", "state", "metric:acc"]);
  });
  it("hide GPU first, then % of best, then the curve", () => {
    const order = ["gpu", "best", "curve:acc", "lr"].map((hook) => {
      let width = 1200;
      while (hooks(width).includes(hook)) width -= 4;
      return width;
    });
    expect([...order].sort((a, b) => b - a)).toEqual(order);
  });
  it("obey the menu", () => {
    expect(hooks(10, new Map([["p:units", true]]))).toContain("units");
    expect(hooks(4000, new Map([["p:lr", false]]))).not.toContain("lr");
  });
});

describe("share of the best", () => {
  it("starts at zero and turns round when small is good", () => {
    expect(share(50, 100, true)).toBe(0.5);
    expect(share(0.4, 0.2, false)).toBe(0.5);
    expect(share(-4, -2, true)).toBe(0.5);
    expect(share(-1, 2, true)).toBeNull();
    expect(share(NaN, 2, true)).toBeNull();
  });
});

describe("curves", () => {
  it("break where a value is not finite", () => {
    const trail = [1, 2, "NaN" as const, 3, 4];
    const scale = sparkScale([row("v0001", { metrics: { a: metric(...trail) } })], "a", null);
    expect(sparkline(trail, scale!, 80).segments).toHaveLength(2);
  });
  it("have no scale without values", () => {
    expect(sparkScale([row("v0001", { metrics: { a: metric("NaN") } })], "a", null)).toBeNull();
  });
});

describe("notebooks", () => {
  const info = scan([]);
  const lab = { baseUrl: "/u/", serverRoot: "~/nb", appName: "JupyterLab" };
  const url = (notebook: string | null, config: typeof lab | null = lab): string | null =>
    notebookUrl(row("v0001", { notebook }), info, config);
  it("open in the application that shows the table", () => {
    expect(url("jobs/a b/o#.ipynb")).toBe("/u/lab/tree/scan/jobs/a%20b/o%23.ipynb");
    expect(url("o.ipynb", { ...lab, appName: "Jupyter Notebook" })).toBe(
      "/u/notebooks/scan/o.ipynb",
    );
  });
  it("do not open from outside the server's root, or upwards", () => {
    expect(url("o.ipynb", { ...lab, serverRoot: "/srv" })).toBeNull();
    expect(url("o.ipynb", { ...lab, serverRoot: "/home/me/n" })).toBeNull();
    expect(url("../../secret.ipynb")).toBeNull();
    expect(url("/etc/passwd")).toBeNull();
    expect(url("o.ipynb", { ...lab, baseUrl: "javascript:alert(1)//" })).toBeNull();
    expect(url("o.ipynb", null)).toBeNull();
  });
  it("have a path to copy", () =>
    expect(notebookPath(row("v0001", { notebook: "o.ipynb" }), info)).toBe("/data/scan/o.ipynb"));
});

describe("words", () => {
  it("ask only where work is lost, and say what is kept", () => {
    expect(stopQuestion([row("v0003", { state: "queued" })], null)).toBeNull();
    expect(stopQuestion([row("v0003", { state: "running", step: 4 })], null)).toEqual({
      text: "Stop v0003? Epochs 1-4 are kept, not continued.",
      yes: "Stop 1 job",
      no: "Keep running",
    });
  });
  it("group failures by reason", () => {
    const failed = (id: string, reason: string): Row => row(id, { state: "failed", reason });
    const found = failures([
      failed("v1", "oom"),
      failed("v2", "timeout"),
      failed("v3", "oom"),
      row("v4"),
    ]);
    expect(found).toMatchObject({
      summary: "2 out of memory, 1 time limit",
      failed: 3,
      ids: ["v1", "v2", "v3"],
    });
  });
});

describe("what a job uses", () => {
  it("is said of a running one as it was last seen, of an ended one at most", () => {
    const usage = { cpu: 1.23, memory_mb: 512, gpu: 80.4, gpu_memory_mb: 3072 };
    expect(usageSentence({ ...row("v1"), state: "running", usage, peak_mb: 1024 })).toBe(
      "Uses 1.2 cores, 0.5 GB (at most 1.0 GB), GPU 80 %, 3.0 GB of GPU memory.",
    );
    expect(usageSentence({ ...row("v1"), state: "done", usage, peak_mb: 1024 })).toBe(
      "Used at most 1.0 GB of memory.",
    );
    expect(usageSentence({ ...row("v1"), state: "new" })).toBe("");
  });
});

describe("what can be done with a scan", () => {
  it.each([
    ["running", null, ["pause", "stop"]],
    ["stopped", null, []],
    ["stopped", "Stopped: the first 5 variants all failed.", ["resume"]],
    ["done", null, []],
    ["paused", null, ["resume", "stop"]],
  ] as const)("in the state %s, stopped by %s: %j", (state, stoppedBy, actions) => {
    expect(actionsFor(scan([], { state, stopped_by: stoppedBy }))).toEqual(actions);
  });
});
