import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { labelled, later, metric, panelStage, press, row } from "./kit";
import { ended, now, one, rows } from "./panelkit";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("the panel", () => {
  it("shows what goes on first, then what has ended", () => {
    const { lines, element } = panelStage([one("old", [], ended("old")), one("new")]);
    expect(lines().map((text) => text.slice(0, 3))).toEqual(["new", "old"]);
    expect(labelled(element, "Ended").textContent).toContain("old");
  });
  it("opens a scan to its jobs in short", () => {
    const { line, lines, source } = panelStage([one("btag")]);
    line("btag").click();
    later(20);
    expect(source.users.get("btag")).toBe(1);
    const told = lines().slice(2);
    expect(told[0]).toContain("retry all");
    expect(told.slice(1, 3)).toEqual(["Out of memory1retry", "Lost1retry"]);
    expect(told.filter((text) => text.includes("/20"))).toHaveLength(4 + 2);
    expect(told).toContain("2 more running");
    expect(told).toContain("v0011MANC, next in line");
    expect(told).toContain("v0024best0.2400");
    expect(told).toContain("1 more done");
  });
  it("releases the scan when it closes", () => {
    const { line, source, panel } = panelStage([one("btag")]);
    line("btag").click();
    line("btag").click();
    expect(source.users.get("btag")).toBe(0);
    line("btag").click();
    panel.dispose();
    expect(source.users.get("btag")).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
  it("opens a job, a table and curves through its host", () => {
    const { line, host, element } = panelStage([one("btag")]);
    line("btag").click();
    later(20);
    line("v0002").click();
    expect(host.openJob.mock.calls[0]?.[1]).toBe("v0002");
    later(20);
    expect(line("v0002").getAttribute("aria-current")).toBe("true");
    labelled(element, "Curves").click();
    expect(host.openTable.mock.calls[0]?.[1]).toBe("curves");
  });
  it("follows its rows", () => {
    const { line, lines, source } = panelStage([one("btag")]);
    line("btag").click();
    later(20);
    const next = [row("v0001", { value: 0.99 })];
    const [info] = one("btag");
    const counts = { ...info.counts, running: 5, done: 5 };
    source.links.get("btag")?.give({
      type: "upsert",
      from: 1,
      rev: 2,
      scan: { ...info, counts, best: "v0001", now: now() + 1 },
      rows: next,
    });
    later(20);
    expect(lines()).toContain("v0001best0.9900");
    expect(lines()).toContain("1 more running");
  });
  it("shows all jobs of a state on wish, and no more than can be read", () => {
    const many = Array.from({ length: 10_000 }, (_, i) =>
      row(`v${String(i).padStart(5, "0")}`, { state: i % 2 ? "done" : "queued", value: i }),
    );
    const { line, element, host } = panelStage([one("big", many)]);
    line("big").click();
    later(20);
    expect(element.querySelectorAll("[data-job]").length).toBe(6);
    line("4,997 more done").click();
    later(20);
    expect(element.querySelectorAll("[data-job]").length).toBe(3 + 200);
    line("4,800 more in the table").click();
    expect(host.openTable).toHaveBeenCalledOnce();
  });
  it("makes few elements of 10,000 jobs, and fewer for ten that change", () => {
    const many = Array.from({ length: 10_000 }, (_, i) =>
      row(`v${String(i).padStart(5, "0")}`, { state: i % 2 ? "done" : "queued", value: i }),
    );
    const { line, panel, source } = panelStage([one("big", many)]);
    source.open("big");
    const made = vi.spyOn(document, "createElement");
    line("big").click();
    panel.flush();
    expect(made.mock.calls.length).toBeLessThan(500);
    const [info] = one("big", many);
    made.mockClear();
    for (let rev = 2; rev < 12; rev += 1) {
      const changed = many.slice(rev * 10, rev * 10 + 10).map((old) => ({ ...old, value: rev }));
      source.links
        .get("big")
        ?.give({ type: "upsert", from: rev - 1, rev, scan: info, rows: changed });
      panel.flush();
    }
    expect(made.mock.calls.length).toBeLessThan(1000);
    made.mockRestore();
    panel.dispose();
  });
  it("says which folders cannot be shown, and a count of the rest", () => {
    const { panel, source, element } = panelStage([one("btag")]);
    source.leftOut = [1, 2, 3, 4, 5].map((i) => ({ folder: `/home/bad${i}`, why: "It broke." }));
    source.changed();
    panel.flush();
    expect(element.textContent).toContain("bad1 is left out: It broke.");
    expect(element.textContent).toContain("2 more are left out.");
    source.leftOut = [];
    source.changed();
    panel.flush();
    expect(element.textContent).not.toContain("left out");
  });
  it("draws at most once per frame", () => {
    const { line, source, element } = panelStage([one("btag")]);
    line("btag").click();
    later(20);
    const seen = new Set<string>();
    const observer = new MutationObserver(() => undefined);
    observer.observe(element, { childList: true, subtree: true, characterData: true });
    const [info] = one("btag");
    for (let rev = 2; rev < 50; rev += 1) {
      const changed = [row("v0001", { state: "running", step: rev, steps: 60, ended: null })];
      source.links
        .get("btag")
        ?.give({ type: "upsert", from: rev - 1, rev, scan: info, rows: changed });
      for (const { target } of observer.takeRecords()) seen.add(target.textContent ?? "");
    }
    expect(seen.size).toBe(0);
    later(20);
    expect(element.textContent).toContain("49/60");
    observer.disconnect();
  });
});

describe("causes in the panel", () => {
  it("say all where nothing goes on any more", () => {
    const all = [
      row("v0001", {
        state: "failed",
        reason: "notebook",
        message: "KeyError: 'pt' in cell 5.",
        cell: 5,
      }),
      row("v0002", {
        state: "failed",
        reason: "notebook",
        message: "KeyError: 'pt' in cell 5.",
        cell: 5,
      }),
    ];
    const { line, element, host, source } = panelStage([one("dips", all, ended("dips"))]);
    line("dips").click();
    later(20);
    expect(element.textContent).toContain("2 failed, by cause");
    expect(line("Error in the notebook").getAttribute("aria-expanded")).toBe("true");
    labelled(element, "Open cell 5 of v0001").click();
    expect(host.openNotebook.mock.calls[0]?.[1].id).toBe("v0001");
    labelled(element, "Retry: KeyError: 'pt' in cell 5").click();
    expect(source.links.get("dips")?.commands()).toEqual([
      { type: "command", action: "retry", variants: ["v0001", "v0002"] },
    ]);
  });
  it("are run again one by one or all together", () => {
    const { line, element, source } = panelStage([one("btag")]);
    line("btag").click();
    later(20);
    labelled(element, "retry: Out of memory").click();
    labelled(element, "retry all that failed").click();
    expect(
      source.links
        .get("btag")
        ?.commands()
        .map((sent) => "variants" in sent && sent.variants),
    ).toEqual([["v0031"], ["v0031", "v0032"]]);
  });
});

describe("commands in the panel", () => {
  it("ask before work is lost", () => {
    const { line, element, source } = panelStage([one("btag")]);
    line("btag").click();
    later(20);
    labelled(element, "Stop").click();
    expect(element.textContent).toContain("Stop the scan? 6 running jobs end");
    expect(source.links.get("btag")?.commands()).toEqual([]);
    [...element.querySelectorAll("button")]
      .find((one) => one.textContent === "Stop 6 jobs")
      ?.click();
    expect(source.links.get("btag")?.commands()).toEqual([
      { type: "command", action: "stop", variants: null },
    ]);
  });
  it("add trials by a number", () => {
    const { line, element, source } = panelStage([one("btag")]);
    line("btag").click();
    later(20);
    element.querySelector<HTMLElement>('.gg-bt [aria-haspopup="menu"]')?.click();
    const choice = [...element.querySelectorAll("[role=menuitem]")].find(
      (item) => item.textContent === "Add trials…",
    );
    (choice as HTMLElement).click();
    const box = element.querySelector("input[type=number]") as HTMLInputElement;
    box.value = "2.5";
    press("Enter");
    expect(box.getAttribute("aria-invalid")).toBe("true");
    box.value = "25";
    press("Enter");
    expect(source.links.get("btag")?.commands()).toEqual([
      { type: "command", action: "extend", variants: null, trials: 25 },
    ]);
  });
  it("replay it as a scan of its own, when that was confirmed", () => {
    const { source, line, element } = panelStage([one("btag")]);
    line("btag").click();
    later(20);
    element.querySelector<HTMLElement>('.gg-bt [aria-haspopup="menu"]')?.click();
    const choice = [...element.querySelectorAll("[role=menuitem]")].find(
      (item) => item.textContent === "Replay…",
    );
    (choice as HTMLElement).click();
    const question = element.querySelector(".gg-ask") as HTMLElement;
    expect(question.textContent).toMatch(/^Run \d+ variants? again, as a scan of its own\?/);
    expect(source.links.get("btag")?.commands()).toEqual([]);
    question.querySelector<HTMLElement>(".gg-p")?.click();
    expect(source.links.get("btag")?.commands()).toEqual([
      { type: "command", action: "replay", variants: null },
    ]);
  });
  it("replay somebody else's scan when all that it would do was shown and accepted", () => {
    const accept = ["--image docker://some/image", "--bind /data:/x"];
    const foreign = "It belongs to somebody else.";
    const { source, line, element } = panelStage([one("btag", rows(), { foreign, accept })]);
    line("btag").click();
    later(20);
    element.querySelector<HTMLElement>('.gg-bt [aria-haspopup="menu"]')?.click();
    const items = [...element.querySelectorAll("[role=menuitem]")];
    expect(items.map((item) => item.textContent)).not.toContain("Add trials…");
    (items.find((item) => item.textContent === "Replay…") as HTMLElement).click();
    const question = element.querySelector(".gg-ask") as HTMLElement;
    for (const option of accept) expect(question.textContent).toContain(option);
    question.querySelector<HTMLElement>(".gg-p")?.click();
    expect(source.links.get("btag")?.commands()).toEqual([
      { type: "command", action: "replay", variants: null, accept },
    ]);
  });
  it("show the runner's log as text", async () => {
    const { line, element } = panelStage([one("btag")]);
    line("btag").click();
    later(20);
    element.querySelector<HTMLElement>('.gg-bt [aria-haspopup="menu"]')?.click();
    const choice = [...element.querySelectorAll("[role=menuitem]")].find(
      (item) => item.textContent === "Runner log",
    );
    (choice as HTMLElement).click();
    await vi.advanceTimersByTimeAsync(10);
    expect(element.querySelector(".gg-runner pre")?.textContent).toBe(
      "btag: <b>the disk is full</b>",
    );
  });
});

describe("states of the panel", () => {
  it("explains what to do when there is nothing yet", () => {
    const { element, host } = panelStage([]);
    expect(element.textContent).toContain("No scans yet");
    element.querySelector<HTMLElement>("button.gg-p")?.click();
    expect(host.scanNotebook).toHaveBeenCalledOnce();
  });
  it("says when a scan is not watched, and resumes it", () => {
    const note = "Its runner ended at 14:31.";
    const { element, source } = panelStage([one("btag", rows(), { state: "orphaned", note })]);
    const banner = element.querySelector("[role=alert]");
    expect(banner?.textContent).toContain("btag is not being watched");
    expect(banner?.textContent).toContain(note);
    expect(banner?.textContent).toContain("7 jobs go on where they are.");
    labelled(element, "Resume: btag").click();
    expect(source.links.get("btag")?.commands()).toEqual([
      { type: "command", action: "resume", variants: null },
    ]);
  });
  it("says whose a foreign scan is, and offers nothing that would be refused", () => {
    const foreign = "Unpacked: read only; `gridgpu replay theirs` runs it again.";
    const about = { state: "orphaned" as const, foreign, note: foreign };
    const { element, line } = panelStage([one("theirs", rows(), about)]);
    line("theirs").click();
    later(20);
    const warnings = [...element.querySelectorAll(".gg-warnings")].map((each) => each.textContent);
    expect(warnings.join()).toContain(foreign);
    expect(element.querySelector("[role=alert]")?.textContent).toContain(foreign);
    expect(element.querySelector("[data-do=resume], [data-do=retry], [data-do=stop]")).toBeNull();
    expect(labelled(element, "Runner log: theirs")).toBeTruthy();
  });
  it("says as of when it is, and when it tries again", () => {
    const { element, source } = panelStage([one("btag")]);
    Object.assign(source, { closed: true, retry_s: 8 });
    source.changed();
    later(20);
    expect(element.textContent).toContain("No answer from the server");
    expect(element.textContent).toMatch(/Shown as of \d\d:\d\d:\d\d\. Trying again in 8 s\./);
    later(3000);
    expect(element.textContent).toContain("Trying again in 5 s.");
    expect(element.classList.contains("gg-stale")).toBe(true);
    labelled(element, "Try now").click();
    expect(source.tries).toBe(1);
    Object.assign(source, { closed: false, retry_s: undefined });
    source.changed();
    later(20);
    expect(element.classList.contains("gg-stale")).toBe(false);
  });
  it("shows hostile names as text", () => {
    const nasty = "<script>alert(1)</script>\u0007";
    const bad = row("v0001", {
      state: "failed",
      reason: nasty,
      message: nasty,
      metrics: { [nasty]: metric(1) },
    });
    const { element, line } = panelStage([
      one("s1", [bad], {
        name: nasty,
        notebook: nasty,
        backend: nasty,
        note: nasty,
        state: "orphaned",
      }),
    ]);
    line("alert").click();
    later(20);
    expect(element.querySelector("script")).toBeNull();
    expect(element.textContent).toContain("<script>alert(1)</script>");
  });
  it("bears 50 scans with names of 10 MB", () => {
    const long = "x".repeat(10_000_000);
    const many = Array.from({ length: 50 }, (_, i) =>
      one(`s${i}`, [], { id: `s${i}`, name: long, notebook: long }),
    );
    const { element } = panelStage(many);
    expect(element.textContent?.length).toBeLessThan(20_000);
  });
});
