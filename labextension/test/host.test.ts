import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { makeCurves } from "../src/components/plot/curvesview";
import { setPreferences } from "../src/components/scan/preferences";
import { ScanStore } from "../src/components/scan/store";
import { ScanView } from "../src/components/table/scanview";
import { LiveTable } from "../src/components/table/table";
import { FakeLink, labelled, later, row, scan, stage } from "./kit";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a table with a host", () => {
  it("opens notebooks through it, also of a running job that has none yet", () => {
    const openNotebook = vi.fn();
    const { element, row: find } = stage(
      [
        row("v0001", { state: "running", notebook: null }),
        row("v0002"),
        row("v0003", { state: "queued", notebook: null }),
      ],
      {},
      { openNotebook },
    );
    labelled(element, "Open notebook of v0001").click();
    labelled(find("v0002"), "Open notebook of v0002").click();
    expect(openNotebook.mock.calls.map(([, { id }]) => id)).toEqual(["v0001", "v0002"]);
    expect(element.querySelector("a")).toBeNull();
    expect(find("v0003").querySelector("[data-act=notebook]")).toBeNull();
  });
  it("opens the notebook of a failed job at its reason", () => {
    const openNotebook = vi.fn();
    const failed = row("v0001", {
      state: "failed",
      value: null,
      metrics: {},
      message: "No.",
      cell: 5,
    });
    const { row: find } = stage([failed], {}, { openNotebook });
    labelled(find("v0001"), "Open the notebook").click();
    expect(openNotebook).toHaveBeenCalledOnce();
  });
  it("opens a job with Enter and by its id", () => {
    const openJob = vi.fn();
    const { row: find, press, element } = stage([row("v0001")], {}, { openJob });
    find("v0001").focus();
    press("Enter");
    find("v0001").querySelector<HTMLElement>('[data-act="open"]')?.click();
    expect(openJob.mock.calls.map(([, id]) => id)).toEqual(["v0001", "v0001"]);
    expect(element.querySelector<HTMLElement>(".gg-pane")?.hidden).toBe(true);
  });
  it("opens a job below the grid without one", () => {
    const { row: find, press, element } = stage([row("v0001")]);
    find("v0001").focus();
    press("Enter");
    expect(element.querySelector<HTMLElement>(".gg-pane")?.hidden).toBe(false);
    expect(find("v0001").querySelector('[data-act="open"]')).toBeNull();
  });
});

describe("a table over the server", () => {
  it("does not speak of the kernel", () => {
    const { element, link } = stage([row("v0001")], {}, {}, "server");
    labelled(element, "Run v0001 again").click();
    later(1100);
    expect(element.textContent).toContain("Asked to run v0001 again.");
    link.give({ type: "closed", retry_s: 8 });
    expect(element.textContent).toContain("Connection to the server lost.");
    expect(element.textContent).toContain("not connected. Trying again in 8 s.");
    labelled(element, "Run v0001 again").click();
    expect(element.textContent).toContain("Not connected to the server; nothing was sent.");
    expect(element.textContent).not.toContain("kernel");
  });
  it("commands nothing when the server does not know the scan", () => {
    const { element, link } = stage(
      [row("v0001", { state: "failed" }), row("v0002", { state: "running" })],
      {},
      {},
      "server",
    );
    link.give({ type: "missing" });
    expect(element.textContent).toContain(
      "This scan is not on this server; shown as it was saved.",
    );
    const acts = [...element.querySelectorAll("[data-act]")].map((one) =>
      one.getAttribute("data-act"),
    );
    for (const act of ["stop", "retry", "pause", "resume"]) expect(acts).not.toContain(act);
    expect(element.textContent).not.toContain("retry these");
    labelled(element, "Select all rows").click();
    expect(element.textContent).not.toContain("Run again");
  });
  it("shows what was saved as of then, and lets the server correct it", () => {
    const link = new FakeLink("server");
    const store = new ScanStore(link, () => 90_000);
    link.give({ type: "closed" });
    const rows = [row("v0001", { state: "running", started: 1990, ended: null })];
    store.saved({ type: "snapshot", rev: 7, scan: scan(rows), rows });
    expect(store.closed).toBe(true);
    expect(store.now()).toBe(2000);
    link.give({ type: "missing" });
    expect(store.missing).toBe(true);
    link.give({ type: "snapshot", rev: 3, scan: scan([]), rows: [] });
    expect([store.missing, store.closed, store.rows.size]).toEqual([false, false, 0]);
  });
  it("says so when there is not even a saved one", () => {
    const link = new FakeLink("server");
    const table = new LiveTable(new ScanStore(link), makeCurves);
    link.give({ type: "missing" });
    expect(table.element.textContent).toContain("This scan is not on this server.");
    table.dispose();
  });
});

describe("warnings of a scan", () => {
  const given = (warnings: unknown): HTMLElement =>
    stage([row("v0001")], { warnings } as object).element.querySelector<HTMLElement>(
      ".gg-hd .gg-warnings",
    )!;
  it("stand in the head of the table as text, and not more than can be read", () => {
    const warnings = [
      "steps keeps the old batch: move line 3.",
      "<i>2</i>",
      "3",
      "4",
      "5",
      "6",
      "7",
    ];
    const element = given(warnings);
    expect(element.getAttribute("role")).toBe("status");
    const texts = [...element.querySelectorAll("p")].map((line) => line.textContent);
    expect(texts).toEqual([...warnings.slice(0, 5), "2 more warnings."]);
  });
  it.each([undefined, [], null, "x", [3]])("are hidden for %j", (warnings) => {
    expect(given(warnings).hidden).toBe(true);
  });
});

describe("failures by cause", () => {
  const rows = [
    row("v0001", {
      state: "failed",
      reason: "oom",
      message: "GPU out of memory in cell 7: 14 GB.",
    }),
    row("v0002", {
      state: "failed",
      reason: "oom",
      message: "GPU out of memory in cell 7: 15 GB.",
    }),
    row("v0003", {
      state: "failed",
      reason: "timeout",
      message: "Reached the 1 h limit in epoch 13.",
    }),
  ];
  it("open to a list with a retry for each", () => {
    const { element, link } = stage(rows);
    const opener = (): HTMLElement =>
      element.querySelector<HTMLElement>("[data-do=causes]") as HTMLElement;
    expect(opener().getAttribute("aria-expanded")).toBe("false");
    opener().click();
    expect(opener().getAttribute("aria-expanded")).toBe("true");
    const lines = [...element.querySelectorAll(".gg-causes li")].map((line) => line.textContent);
    expect(lines).toEqual([
      "GPU out of memory2v0001v0002retry",
      "Reached the 1 h limit1v0003retry",
    ]);
    labelled(element, "retry: GPU out of memory").click();
    expect(link.commands()).toEqual([
      { type: "command", action: "retry", variants: ["v0001", "v0002"] },
    ]);
    labelled(element, "Go to v0003").click();
    expect((document.activeElement as HTMLElement).dataset["id"]).toBe("v0003");
  });
});

describe("trials", () => {
  it("are added by a number in the place of the toolbar", () => {
    const { element, link, press } = stage([row("v0001")]);
    element.querySelector<HTMLElement>('.gg-hd [aria-haspopup="menu"]')?.click();
    press("Enter");
    const items = [...element.querySelectorAll<HTMLElement>("[role=menuitem]")];
    expect(items.map((item) => item.textContent)).toEqual([
      "Add trials…",
      "Replay…",
      "Copy folder",
    ]);
    items[0]?.click();
    press("Enter");
    expect(link.commands()).toEqual([
      { type: "command", action: "extend", variants: null, trials: 10 },
    ]);
  });
});

describe("curves of a table", () => {
  it("are those of the best few, then of the selected ones, and grow", () => {
    const all = Array.from({ length: 9 }, (_, i) => row(`v000${i + 1}`, { value: i / 10 }));
    const { element, link, row: find } = stage(all);
    labelled(element, "Curves").click();
    const asked = (): string[] =>
      link.sent.flatMap((sent) => (sent.type === "metrics" ? [sent.variant] : []));
    expect(asked()).toEqual(["v0009", "v0008", "v0007", "v0006", "v0005"]);
    const box = find("v0002").querySelector<HTMLElement>('[data-col="select"]');
    box?.click();
    expect(asked().at(-1)).toBe("v0002");
    expect(element.textContent).toContain("1 variant selected");
    const curves = { acc: { steps: [1, 2], values: [0.25, 0.75] } };
    const usage = { times: [], cpu: [], memory_mb: [], gpu: [], gpu_memory_mb: [] };
    link.give({ type: "metrics", variant: "v0002", attempt: 1, curves, usage });
    expect(element.querySelector(".gg-curveplot")?.getAttribute("aria-label")).toContain(
      "v0002 0.7500",
    );
    labelled(element, "Close the curves").click();
    expect(element.querySelector(".gg-curves")).toBeNull();
    expect(document.activeElement).toBe(labelled(element, "Curves"));
  });
  it("are tried with the few values of the row until all come", () => {
    const { element } = stage([row("v0001")]);
    labelled(element, "Curves").click();
    expect(element.querySelector(".gg-curveplot")?.getAttribute("aria-label")).toContain(
      "v0001 0.9000",
    );
  });
});

describe("a scan in its own tab", () => {
  it("fills it and starts with what was asked for", () => {
    const link = new FakeLink("server");
    const store = new ScanStore(link);
    const rows = [row("v0001")];
    link.give({ type: "snapshot", rev: 1, scan: scan(rows), rows });
    const openScan = vi.fn();
    const view = new ScanView(store, makeCurves, { openScan }, "curves");
    document.body.replaceChildren(view.element);
    expect(view.element.classList.contains("gg-fill")).toBe(true);
    expect(view.element.querySelector(".gg-curves")).not.toBeNull();
    view.element.querySelector<HTMLElement>('.gg-hd [aria-haspopup="menu"]')?.click();
    expect(view.element.textContent).not.toContain("Open in a tab");
    view.dispose();
    later(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("settings", () => {
  afterEach(() => setPreferences({ hidden: [] }));
  it("hide columns until somebody asks for them", () => {
    setPreferences({ hidden: ["lr"] });
    const { cell, element } = stage([row("v0001")]);
    expect(cell("v0001", "lr")).toBeNull();
    labelled(element, "Columns").click();
    element.querySelector<HTMLInputElement>('.gg-menu [data-key="p:lr"]')?.click();
    expect(cell("v0001", "lr")).toBe("0.00100");
  });
});
