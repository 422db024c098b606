import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Row } from "../src/wire";
import { FakeLink, labelled, later, metric, row, scan, stage, writeFilter } from "./kit";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const many = (count: number): Row[] =>
  Array.from({ length: count }, (_, i) =>
    row(`v${String(i + 1).padStart(4, "0")}`, { value: i / count }),
  );

describe("the table", () => {
  it("draws only the rows in view but counts them all", () => {
    const { element, ids } = stage(many(10_000));
    expect(ids().length).toBeLessThan(60);
    expect(labelled(element, "Variants").getAttribute("aria-rowcount")).toBe("10001");
    expect(ids()[0]).toBe("v10000");
  });
  it("carries hooks for state and columns", () => {
    const { row: find, cell } = stage([row("v0001", { state: "running", params: { lr: 0.01 } })]);
    expect(find("v0001").dataset["state"]).toBe("running");
    expect(cell("v0001", "lr")).toBe("0.0100");
    expect(cell("v0001", "metric:acc")).toBe("0.9000");
  });
  it("says by which way metrics come, and how old the newest is", () => {
    const { element } = stage([row("v0001")], { channel: "push", reported: 1988, now: 2000 });
    expect(element.querySelector(".gg-way")?.textContent).toBe("metrics come by push, 12 s old");
    const plain = stage([row("v0001")]).element;
    expect(plain.querySelector(".gg-way")?.textContent).toBe("");
  });
  it("shows text from jobs as text", () => {
    const nasty = "<img src=x onerror=alert(1)>";
    const one = row("v0001", {
      params: { lr: nasty },
      state: "failed",
      message: nasty,
      where: nasty,
      metrics: { [nasty]: metric(1) },
    });
    const { element, cell } = stage([one], { name: nasty, note: nasty, backend: nasty });
    expect(element.querySelector("img")).toBeNull();
    expect(cell("v0001", "lr")).toBe(nasty);
  });
  it("bounds long text and keeps more of it in the title", () => {
    const { row: find } = stage([row("v0001", { params: { lr: "x".repeat(5000) } })]);
    const cell = find("v0001").querySelector<HTMLElement>('[data-col="lr"]');
    expect(cell?.textContent).toHaveLength(200);
    expect(cell?.title).toHaveLength(1000);
  });
  it("stars the best row and links to it from the head", () => {
    const { element, row: find } = stage([row("v0001"), row("v0002")], {
      best: "v0002",
      best_value: 0.9,
    });
    expect(find("v0002").querySelector('[aria-label="best"]')).not.toBeNull();
    labelled(element, "Go to v0002").click();
    expect((document.activeElement as HTMLElement).dataset["id"]).toBe("v0002");
  });
  it("says why in place of a missing objective", () => {
    const failed = row("v0001", {
      state: "failed",
      value: null,
      metrics: {},
      message: "KeyError: 'jet_pt' in cell 5.",
      cell: 5,
    });
    expect(stage([failed]).cell("v0001", "metric:acc")).toBe("KeyError: 'jet_pt' in cell 5In [5]");
  });
  it("leads from the site to the batch system's page about a job, if it is a web address", () => {
    const link = "https://monitor.example/job/17";
    const rows = [
      row("v0001", { where: "LAB_GPU", link }),
      row("v0002", { where: "LAB_GPU", link: "javascript:alert(1)" }),
      row("v0003", { where: "LAB_GPU" }),
    ];
    const { row: find } = stage(rows, { backend: "panda" });
    const places = ["v0001", "v0002", "v0003"].map((id) =>
      find(id).querySelector('[data-col="where"]'),
    );
    expect(places.map((place) => place?.textContent)).toEqual(["LAB_GPU", "LAB_GPU", "LAB_GPU"]);
    expect(places.map((place) => place?.querySelector("a")?.href)).toEqual([
      link,
      undefined,
      undefined,
    ]);
  });
  it("draws with no rows, no objective and no metrics", () => {
    expect(stage([]).ids()).toEqual([]);
    expect(stage([row("v0001", { metrics: {}, value: null })], { objective: null }).ids()).toEqual([
      "v0001",
    ]);
  });
  it("ticks elapsed times by itself, on the sender's clock", () => {
    const { cell } = stage([row("v0001", { state: "running", started: 1990, ended: null })]);
    expect(cell("v0001", "time")).toBe("10 s");
    later(5000);
    expect(cell("v0001", "time")).toBe("15 s");
  });
});

describe("sorting", () => {
  it("goes by the objective first and by a header after a click", () => {
    const { element, ids } = stage([row("v0001", { value: 0.1 }), row("v0002", { value: 0.2 })]);
    expect(ids()).toEqual(["v0002", "v0001"]);
    const header = element.querySelector<HTMLElement>('[role=columnheader][data-col="id"]');
    header?.click();
    expect(ids()).toEqual(["v0001", "v0002"]);
    expect(
      element.querySelector('[role=columnheader][data-col="id"]')?.getAttribute("aria-sort"),
    ).toBe("ascending");
  });
  it("waits while the focus is in the grid, and says how many rows moved", () => {
    const {
      element,
      ids,
      row: find,
      upsert,
      cell,
    } = stage([row("v0001", { value: 0.1 }), row("v0002", { value: 0.2 })]);
    find("v0001").focus();
    upsert([row("v0001", { value: 0.7 }), row("v0003", { value: 0.9 })]);
    expect(cell("v0001", "metric:acc")).toBe("0.7000");
    expect(ids()).toEqual(["v0002", "v0001", "v0003"]);
    labelled(element, "2 rows moved; sort now").click();
    expect(ids()).toEqual(["v0003", "v0001", "v0002"]);
  });
  it("catches up when the focus leaves", () => {
    const {
      ids,
      row: find,
      upsert,
    } = stage([row("v0001", { value: 0.1 }), row("v0002", { value: 0.2 })]);
    find("v0001").focus();
    upsert([row("v0001", { value: 0.7 })]);
    find("v0001").blur();
    later(10);
    expect(ids()).toEqual(["v0001", "v0002"]);
  });
});

describe("filtering", () => {
  it("says how many rows match", () => {
    const { element, ids } = stage([row("v0001"), row("v0002", { state: "failed" })]);
    writeFilter(element, "state:failed");
    expect(ids()).toEqual(["v0002"]);
    expect(element.textContent).toContain("1 of 2 rows");
  });
  it("explains a filter that makes no sense", () => {
    const { element, ids } = stage([row("v0001")]);
    writeFilter(element, "nope<3");
    expect(ids()).toEqual([]);
    expect(element.textContent).toContain("no column is called nope");
  });
});

describe("the keyboard", () => {
  it("has one tab stop and moves with arrows", () => {
    const {
      element,
      row: find,
      press,
    } = stage([
      row("v0001", { value: 0.3 }),
      row("v0002", { value: 0.2 }),
      row("v0003", { value: 0.1 }),
    ]);
    expect(element.querySelectorAll('.gg-grid [tabindex="0"]')).toHaveLength(1);
    find("v0001").focus();
    press("ArrowDown");
    expect(document.activeElement).toBe(find("v0002"));
    press("End");
    expect(document.activeElement).toBe(find("v0003"));
    press("Home");
    press("ArrowUp");
    expect(document.activeElement?.getAttribute("role")).toBe("columnheader");
    expect(element.querySelectorAll('.gg-grid [tabindex="0"]')).toHaveLength(1);
  });
  it("reaches rows that were not drawn", () => {
    const { row: find, press } = stage(many(500));
    find("v0500").focus();
    press("End");
    expect((document.activeElement as HTMLElement).dataset["id"]).toBe("v0001");
  });
  it("selects with Space and extends with Shift", () => {
    const {
      element,
      row: find,
      press,
    } = stage([row("v0001", { value: 0.3 }), row("v0002", { value: 0.2 })]);
    find("v0001").focus();
    press(" ");
    expect(find("v0001").getAttribute("aria-selected")).toBe("true");
    press("ArrowDown", { shiftKey: true });
    expect(element.textContent).toContain("2 selected");
  });
  it("goes to the filter with / and clears it with Escape", () => {
    const { element, row: find, press } = stage([row("v0001"), row("v0002")]);
    writeFilter(element, "v0001");
    find("v0001").focus();
    press("/");
    expect(document.activeElement).toBe(labelled(element, "Filter rows"));
    press("Escape");
    expect(element.textContent).toContain("2 rows");
  });
  it("does not hear keys outside the grid, nor with Ctrl", () => {
    const { link, row: find, press } = stage([row("v0001", { state: "queued" })]);
    press("s");
    find("v0001").focus();
    press("s", { ctrlKey: true });
    expect(link.commands()).toEqual([]);
    press("s");
    expect(link.commands()).toEqual([{ type: "command", action: "stop", variants: ["v0001"] }]);
  });
});

describe("commands", () => {
  it("stop a running job only after a yes", () => {
    const { element, link } = stage([row("v0003", { state: "running", step: 4 })]);
    labelled(element, "Stop v0003").click();
    const question = labelled(element, "Stop v0003? Epochs 1-4 are kept, not continued.");
    const [yes, no] = [...question.querySelectorAll("button")];
    expect([yes?.textContent, no?.textContent]).toEqual(["Stop 1 job", "Keep running"]);
    expect(link.commands()).toEqual([]);
    yes?.click();
    expect(link.commands()).toEqual([{ type: "command", action: "stop", variants: ["v0003"] }]);
  });
  it("say that they wait when the kernel does not answer within a second", () => {
    const { element, link } = stage([row("v0001")]);
    labelled(element, "Run v0001 again").click();
    expect(element.textContent).not.toContain("Asked to");
    later(1100);
    expect(element.textContent).toContain(
      "Asked to run v0001 again; waits until the running cell ends.",
    );
    link.give({ type: "said", text: "v0001 runs again as attempt 2." });
    expect(element.textContent).toContain("v0001 runs again as attempt 2.");
  });
  it("pause and stop the whole scan", () => {
    const { element, link } = stage([row("v0001")]);
    labelled(element, "Pause the scan").click();
    labelled(element, "Stop the scan").click();
    expect(link.commands().map((message) => "variants" in message && message.variants)).toEqual([
      null,
      null,
    ]);
  });
  it("retry all that failed from the foot", () => {
    const { element, link } = stage([
      row("v0001", { state: "failed", reason: "oom" }),
      row("v0002", { state: "lost" }),
      row("v0003"),
    ]);
    expect(element.textContent).toContain("1 failed: 1 out of memory");
    labelled(element, "retry these: all that failed").click();
    expect(link.commands()).toEqual([
      { type: "command", action: "retry", variants: ["v0001", "v0002"] },
    ]);
  });
  it("show a log as text", () => {
    const { element, link } = stage([row("v0001")]);
    labelled(element, "Log of v0001").click();
    expect(link.sent).toContainEqual({ type: "log", variant: "v0001.1" });
    const part = { start: 0, end: 9, size: 9 };
    link.give({ type: "log", variant: "v0001.1", ...part, text: "\u001b[31m<b>no</b>\u001b[0m" });
    expect(element.querySelector("pre")?.textContent).toBe("<b>no</b>");
  });
});

describe("the connection", () => {
  it("asks for a snapshot after a gap, and shows what came meanwhile", () => {
    const { link, store } = stage([row("v0001")]);
    const rows = [row("v0005")];
    link.give({ type: "upsert", from: 6, rev: 7, scan: scan(rows), rows });
    expect(link.sent).toContainEqual({ type: "hello", since: 1 });
    expect(store.rows.has("v0005")).toBe(true);
  });
  it("ignores what is older than what it has", () => {
    const { link, store } = stage([row("v0001", { value: 1 })]);
    const rows = [row("v0001", { value: 0 })];
    link.give({ type: "upsert", from: 0, rev: 0, scan: scan(rows), rows });
    expect(store.rows.get("v0001")?.value).toBe(1);
  });
  it("says as of when once it is lost, and stops the clock", () => {
    const { element, link, cell } = stage([
      row("v0001", { state: "running", started: 1990, ended: null }),
    ]);
    link.give({ type: "closed" });
    later(30_000);
    expect(element.textContent).toMatch(/as of \d\d:\d\d, not connected/);
    expect(cell("v0001", "time")).toBe("10 s");
    expect(element.classList.contains("gg-stale")).toBe(true);
  });
  it("announces failures and the end, never epochs", () => {
    const { element, upsert } = stage([row("v0001", { state: "running" })]);
    const live = element.querySelector("[aria-live]");
    upsert([row("v0001", { state: "running", step: 21 })]);
    expect(live?.textContent).toBe("");
    upsert([row("v0001", { state: "failed", message: "KeyError: 'x' in cell 5." })], {
      state: "done",
      ended: 2100,
    });
    expect(live?.textContent).toBe("v0001 failed: KeyError: 'x' in cell 5. Scan btag is done");
  });
  it("leaves nothing behind when a view goes", () => {
    const { link, table, element } = stage([row("v0001")]);
    table.dispose();
    expect(element.isConnected).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
    expect(link).toBeInstanceOf(FakeLink);
  });
});

describe("columns menu", () => {
  it("shows a fixed parameter and hides a curve", () => {
    const { element, cell } = stage([row("v0001")]);
    expect(cell("v0001", "units")).toBeNull();
    labelled(element, "Columns").click();
    const box = element.querySelector<HTMLInputElement>('.gg-menu [data-key="p:units"]');
    box?.click();
    expect(cell("v0001", "units")).toBe("64");
  });
});

describe("repeats", () => {
  const seeds = [167.2, 168.4, 169.6].map((value, i) =>
    row(`v000${i + 1}`, { point: 1, repeat: i, value, params: { lr: 0.1, seed: i } }),
  );
  it("fold into one line that opens to its seeds", () => {
    const { cell, ids, row: find, press } = stage(seeds, { repeats: "seed" });
    expect(ids()).toEqual(["p0001"]);
    expect(cell("p0001", "metric:acc")).toBe("168.4 ± 1.2 (3)");
    find("p0001").focus();
    press("Enter");
    expect(ids()).toEqual(["p0001", "v0001", "v0002", "v0003"]);
    expect(find("p0001").getAttribute("aria-expanded")).toBe("true");
  });
});
