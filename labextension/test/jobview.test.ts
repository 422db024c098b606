import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Host } from "../src/components/host";
import { JobView } from "../src/components/job/jobview";
import { Store } from "../src/components/store";
import type { Job, Link, LogText, Metrics, Row, ScanInfo } from "../src/wire";
import { FakeLink, labelled, later, metric, press, row, scan } from "./kit";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const running = (more: Partial<Row> = {}): Row =>
  row("v0051", {
    state: "running",
    step: 14,
    started: 1400,
    ended: null,
    value: 0.8,
    attempts: 2,
    notebook: null,
    where: "CERN",
    gpu: "A100",
    ...more,
  });

const job = (more: Partial<Job> = {}): Job => ({
  ...{ type: "job", variant: "v0051", has_notebook: true },
  attempts: [
    {
      ...{ attempt: 1, state: "failed", reason: "node", message: "Node went away after 11 min." },
      ...{
        where: "MANC",
        gpu: "V100",
        submitted: 0,
        started: 300,
        ended: 960,
        node: null,
        engine_id: null,
      },
    },
    {
      ...{ attempt: 2, state: "running", reason: null, message: null, where: "CERN", gpu: "A100" },
      ...{ submitted: 970, started: 1400, ended: null, node: "b7g31", engine_id: "x" },
    },
  ],
  defaults: { lr: 0.1, units: 64, seed: 1 },
  limits: { gpus: 1, memory_mb: 16384, walltime_s: 3600 },
  ...more,
});

const metrics = (more: Partial<Metrics> = {}): Metrics => ({
  ...{ type: "metrics", variant: "v0051", attempt: 2 },
  curves: {
    acc: { steps: [1, 2, 3], values: [0.1, 0.5, 0.8] },
    loss: { steps: [1, 2], values: [2, 1] },
  },
  usage: {
    times: [0, 10, 20],
    cpu: [null, null, null],
    memory_mb: [1024, 4096, 2048],
    gpu: [10, null, 90],
    gpu_memory_mb: [null, null, null],
  },
  ...more,
});

interface JobStage {
  link: FakeLink;
  store: Store;
  view: JobView;
  element: HTMLElement;
  give(rows: Row[], more?: Partial<ScanInfo>): void;
  asked(type: string): unknown[];
}

function jobStage(rows: Row[], host: Host = {}, peer: Link["peer"] = "server"): JobStage {
  document.body.replaceChildren();
  const link = new FakeLink(peer);
  const store = new Store(link);
  let rev = 1;
  link.give({ type: "snapshot", rev, scan: scan(rows, { best: "v0038", best_value: 0.9 }), rows });
  const view = new JobView(store, "v0051", host);
  document.body.append(view.element);
  return {
    ...{ link, store, view, element: view.element },
    give(changed, more = {}) {
      const info = scan([...store.rows.values()], { best: "v0038", best_value: 0.9, ...more });
      link.give({ type: "upsert", from: rev, rev: (rev += 1), scan: info, rows: changed });
      view.flush();
    },
    asked: (type) => link.sent.filter((one) => one.type === type),
  };
}

const best = row("v0038", { value: 0.9 });

describe("the head of a job", () => {
  it("says value, rank, epoch, time, place and what was used", () => {
    const { element, link, view } = jobStage([best, running()]);
    link.give(job());
    view.flush();
    const told = [...element.querySelectorAll(".gg-facts > div")].map((one) => one.textContent);
    expect(told).toEqual([
      "0.8000 acc, 2nd; best is 0.9000, v0038",
      "epoch 14 of 20",
      "10 min about 4 min left",
      "CERN\u2002A100 node b7g31",
      "0.35 GPU-h",
    ]);
    expect(element.textContent).toContain("of btag, attempt 2");
  });
  it("opens the notebook so far, the scan, and asks before it stops", () => {
    const host = { openNotebook: vi.fn(), openScan: vi.fn() };
    const { element, link, view } = jobStage([best, running()], host);
    link.give(job());
    view.flush();
    labelled(element, "Open notebook so far").click();
    expect(host.openNotebook.mock.calls[0]?.[1].id).toBe("v0051");
    labelled(element, "Open the scan btag").click();
    expect(host.openScan).toHaveBeenCalledOnce();
    labelled(element, "Stop").click();
    expect(element.textContent).toContain("Stop v0051? Epochs 1-14 are kept, not continued.");
    expect(link.commands()).toEqual([]);
  });
  it("runs an ended one again, and says why it failed", () => {
    const failed = running({ state: "failed", ended: 1500, message: "KeyError: 'pt' in cell 5." });
    const { element, link } = jobStage([best, failed]);
    expect(element.querySelector(".gg-reason")?.textContent).toBe("KeyError: 'pt' in cell 5.");
    labelled(element, "Run again").click();
    expect(link.commands()).toEqual([{ type: "command", action: "retry", variants: ["v0051"] }]);
  });
  it("has no notebook to open while none is saved", () => {
    const { element, link, view } = jobStage([running()], { openNotebook: vi.fn() });
    link.give(job({ has_notebook: false }));
    view.flush();
    expect((labelled(element, "Open notebook so far") as HTMLButtonElement).disabled).toBe(true);
  });
});

describe("what a job shows", () => {
  it("compares parameters with the notebook's own", () => {
    const { element, link, view } = jobStage([running()]);
    link.give(job());
    view.flush();
    const lines = [...element.querySelectorAll("tbody tr")].map((line) =>
      [...line.children].map((cell) => cell.textContent),
    );
    expect(lines).toEqual([
      ["lr", "0.00100", "0.1"],
      ["units", "64", "="],
      ["seed", "1", "="],
    ]);
  });
  it("draws only the resources there are, with the limit that is known", () => {
    const { element, link, view } = jobStage([running()]);
    link.give(job());
    link.give(metrics());
    view.flush();
    const areas = [...element.querySelectorAll(".gg-areas > div")].map((one) => one.textContent);
    expect(areas).toEqual(["GPU90%mean 50 %", "Memory2.0of 16 GBhighest 4.0 GB"]);
    expect(element.querySelectorAll(".gg-limit")).toHaveLength(1);
    expect(element.textContent).toContain("attempt 2, every 10 s");
  });
  it("tells each attempt", () => {
    const { element, link, view } = jobStage([running()]);
    link.give(job());
    view.flush();
    const told = [...element.querySelectorAll(".gg-end")].map((one) => one.textContent);
    expect(told).toEqual(["Node went away after 11 min", "running for 10 min"]);
    expect(element.querySelectorAll(".gg-waited")).toHaveLength(2);
  });
  it("lays the opened curve over the selected ones and the best", () => {
    const { element, link, store, view } = jobStage([best, running(), row("v0003"), row("v0004")]);
    store.choose(["v0003"]);
    view.flush();
    expect(element.textContent).toContain("1 variant selected");
    link.give(metrics());
    view.flush();
    expect(element.querySelectorAll(".gg-line-opened")).toHaveLength(1);
    expect(element.querySelectorAll(".gg-line-best")).toHaveLength(1);
    expect(element.querySelectorAll(".gg-line-plain")).toHaveLength(1);
  });
  it("changes the metric with the arrow keys", () => {
    const { element, link, view } = jobStage([
      running({ metrics: { acc: metric(0.8), loss: metric(1) } }),
    ]);
    link.give(metrics());
    view.flush();
    const chosen = (): HTMLElement | null =>
      element.querySelector('[role=radio][aria-checked="true"]');
    expect(chosen()?.textContent).toBe("acc");
    chosen()?.focus();
    press("ArrowRight");
    expect(chosen()?.textContent).toBe("loss");
    expect(document.activeElement).toBe(chosen());
    expect(element.querySelector(".gg-curveplot")?.getAttribute("aria-label")).toContain(
      "loss by epoch",
    );
  });
});

describe("what a job asks", () => {
  it("asks again when its row has changed, at most every 2 s", () => {
    const { asked, give } = jobStage([running()]);
    expect([asked("job").length, asked("metrics").length]).toEqual([1, 1]);
    for (let step = 1; step < 10; step += 1) give([running({ step })]);
    expect([asked("job").length, asked("metrics").length]).toEqual([1, 1]);
    later(3000);
    expect([asked("job").length, asked("metrics").length]).toEqual([2, 2]);
    later(20_000);
    expect([asked("job").length, asked("metrics").length]).toEqual([2, 2]);
  });
  it("asks nothing without a connection, and all again with one", () => {
    const { asked, give, link, element } = jobStage([running()]);
    link.give({ type: "closed", retry_s: 8 });
    give([], {});
    link.give({ type: "closed", retry_s: 8 });
    later(100);
    const before = asked("job").length;
    later(5000);
    expect(asked("job").length).toBe(before);
    expect(element.textContent).toContain("No answer from the server.");
    link.give({ type: "opened" });
    later(1500);
    expect(asked("job").length).toBe(before + 1);
  });
  it("leaves nothing behind", () => {
    const { view, element } = jobStage([running()]);
    view.dispose();
    expect(element.isConnected).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });
  it("waits for its row", () => {
    const { element, give } = jobStage([best]);
    expect(element.textContent).toContain("The scan has no variant v0051.");
    give([running()]);
    expect(element.textContent).toContain("v0051 running");
  });
});

describe("the log of a job", () => {
  const part = (text: string, start: number, size = start + text.length): LogText => ({
    ...{ type: "log", variant: "v0051", text, start, end: start + text.length, size },
  });
  const log = (element: HTMLElement): string => element.querySelector("pre")?.textContent ?? "";

  it("goes on from where it ended while the job runs", () => {
    const { element, link, asked } = jobStage([running()]);
    expect(asked("log")).toEqual([{ type: "log", variant: "v0051" }]);
    link.give(part("one\ntw", 100));
    later(1100);
    expect(asked("log")[1]).toEqual({ type: "log", variant: "v0051", start: 106 });
    link.give(part("o\n", 106));
    expect(log(element)).toBe("one\ntwo\n");
    expect(element.textContent).toContain("last 2 lines of 1 kB");
  });
  it("asks no more than once at a time, and not after the end", () => {
    const { link, asked, give } = jobStage([running()]);
    later(5000);
    expect(asked("log")).toHaveLength(1);
    link.give(part("one\n", 0));
    give([running({ state: "done", ended: 1500 })]);
    later(1100);
    link.give(part("", 4));
    const count = asked("log").length;
    later(10_000);
    expect(asked("log")).toHaveLength(count);
  });
  it("does not read while nobody looks", () => {
    const { link, asked, element } = jobStage([running()]);
    link.give(part("one\n", 0));
    element.remove();
    later(10_000);
    expect(asked("log")).toHaveLength(1);
  });
  it("ignores parts that another view has asked for", () => {
    const { link, element } = jobStage([running()]);
    link.give(part("start", 0, 900));
    expect(log(element)).toBe("");
    link.give(part("end", 897, 900));
    link.give(part("start", 0, 900));
    expect(log(element)).toBe("end");
  });
  it("opens all from the start, part by part", () => {
    const { link, asked, element } = jobStage([running()]);
    link.give(part("end\n", 6));
    labelled(element, "open all").click();
    expect(asked("log").at(-1)).toEqual({ type: "log", variant: "v0051", start: 0 });
    link.give(part("first\n", 0, 10));
    expect(asked("log").at(-1)).toEqual({ type: "log", variant: "v0051", start: 6 });
    link.give(part("end\n", 6));
    expect(log(element)).toBe("first\nend\n");
    expect(element.textContent).toContain("2 lines");
  });
  it("stops at 5,000 lines of a long one, and goes back to the end", () => {
    const { link, asked, element } = jobStage([running()]);
    const size = 50_000_000;
    link.give(part("end\n", size - 4));
    labelled(element, "open all").click();
    for (let start = 0; start < 80_000; start += 10_000)
      link.give(part("line\n".repeat(2000), start, size));
    const count = asked("log").length;
    later(5000);
    expect(asked("log")).toHaveLength(count);
    expect(log(element).split("\n").length).toBeLessThan(6100);
    labelled(element, "to the end").click();
    expect(asked("log").at(-1)).toEqual({ type: "log", variant: "v0051" });
  });
  it("begins anew when a new attempt writes a shorter one", () => {
    const { link, element, asked } = jobStage([running()]);
    link.give(part("old\n", 500));
    later(1100);
    link.give(part("n", 0, 1));
    expect(asked("log").at(-1)).toEqual({ type: "log", variant: "v0051" });
    link.give(part("new\n", 0));
    expect(log(element)).toBe("new\n");
  });
  it("shows control characters, tags and 10 MB lines as a little text", () => {
    const { link, element } = jobStage([running()]);
    link.give(part(`\u001b[31m<script>alert(1)</script>\u0007\n${"x".repeat(10_000_000)}\n`, 0));
    expect(element.querySelector("script")).toBeNull();
    expect(log(element).length).toBeLessThan(5000);
  });
  it("waits for the running cell only in a kernel", () => {
    const words = "it comes when the running cell ends";
    expect(jobStage([running()], {}, "kernel").element.textContent).toContain(words);
    expect(jobStage([running()]).element.textContent).not.toContain(words);
  });
});

describe("hostile jobs", () => {
  const nasty = "<script>alert(1)</script>\u0000";
  it("are shown as text and bounded", () => {
    const long = "y".repeat(10_000_000);
    const bad = running({
      params: { [nasty]: nasty, long },
      message: long,
      where: nasty,
      metrics: { [nasty]: metric(1) },
    });
    const { element, link, view } = jobStage([bad]);
    link.give(job({ defaults: { [nasty]: long, __proto__: 1 } as never }));
    link.give(metrics({ curves: { [nasty]: { steps: [1], values: ["NaN"] } } }));
    view.flush();
    expect(element.querySelector("script")).toBeNull();
    expect(element.textContent?.length).toBeLessThan(20_000);
  });
});
