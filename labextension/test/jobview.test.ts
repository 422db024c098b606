import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { best, job, jobStage, metrics, running } from "./jobkit";
import { labelled, later, metric, press, row } from "./kit";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

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
  it("says which parameters are not active, and what the notebook has instead", () => {
    const { element, link, give } = jobStage([running()]);
    const conditional = { params: ["lr", "momentum", "units", "decay"] };
    give([running()], conditional);
    const lines = (): (string | null)[][] =>
      [...element.querySelectorAll("tbody tr")].map((line) =>
        [...line.children].map((cell) => cell.textContent),
      );
    expect(lines()[1]).toEqual(["momentum", "– not active", "–"]);
    link.give(job({ defaults: { lr: 0.1, units: 64, momentum: 0.9 } }));
    give([running()], conditional);
    expect(lines()).toEqual([
      ["lr", "0.00100", "0.1"],
      ["momentum", "– not active", "0.9"],
      ["units", "64", "="],
      ["decay", "– not active", "–"],
    ]);
    const cell = element.querySelector<HTMLElement>("tbody tr:nth-child(2) td");
    expect(cell?.title).toBe("not active, notebook's default 0.9");
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
