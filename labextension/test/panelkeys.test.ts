import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { labelled, later, panelStage, press, row } from "./kit";
import { now, one } from "./panelkit";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("the keyboard of the panel", () => {
  it("stays at its line when the scan ends, and so moves below the others", () => {
    const { line, source } = panelStage([one("btag")]);
    line("btag").click();
    later(20);
    line("v0002").focus();
    const [info] = one("btag");
    source.scans.set("btag", { ...info, state: "done", ended: now() });
    source.changed();
    later(20);
    expect(line("btag").closest("[aria-label=Ended]")).not.toBeNull();
    expect(document.activeElement).toBe(line("v0002"));
  });
  it("has one tab stop in the tree", () => {
    const { element, line } = panelStage([one("alpha"), one("zeta")]);
    line("alpha").click();
    later(20);
    expect(element.querySelectorAll('[role=tree] [tabindex="0"]')).toHaveLength(1);
    line("zeta").focus();
    expect(element.querySelectorAll('[role=tree] [tabindex="0"]')).toHaveLength(1);
    expect(line("zeta").tabIndex).toBe(0);
  });
  it("moves with arrows, opens with Right and closes with Left", () => {
    const { line, panel, element, host } = panelStage([
      one("alpha"),
      one("zeta", [], { created: now() - 900 }),
    ]);
    panel.focus();
    expect(document.activeElement).toBe(line("alpha"));
    press("ArrowRight");
    later(20);
    expect(line("alpha").getAttribute("aria-expanded")).toBe("true");
    press("ArrowDown");
    expect(document.activeElement).toBe(labelled(element, "Table"));
    press("ArrowRight");
    expect(document.activeElement).toBe(labelled(element, "Curves"));
    press("ArrowDown");
    press("ArrowDown");
    expect(document.activeElement).toBe(line("Out of memory"));
    press("ArrowRight");
    press("ArrowRight");
    expect((document.activeElement as HTMLElement).textContent).not.toBe("");
    press("End");
    expect(document.activeElement).toBe(line("zeta"));
    press("Home");
    press("ArrowLeft");
    later(20);
    expect(line("alpha").getAttribute("aria-expanded")).toBe("false");
    expect(host.openJob).not.toHaveBeenCalled();
  });
  it("opens a job with Enter and finds a scan by its name", () => {
    const { line, host } = panelStage([one("alpha"), one("beta", [], { created: now() - 900 })]);
    line("alpha").click();
    later(20);
    line("v0003").focus();
    press("Enter");
    expect(host.openJob.mock.calls[0]?.[1]).toBe("v0003");
    press("b");
    expect(document.activeElement).toBe(line("beta"));
  });
  it("filters with / and clears with Escape", () => {
    const { line, lines } = panelStage([one("alpha"), one("beta")]);
    line("alpha").focus();
    press("/");
    const input = document.activeElement as HTMLInputElement;
    expect(input.getAttribute("aria-label")).toBe("Filter the scans");
    expect(input.tagName).toBe("INPUT");
    input.value = "bet";
    input.dispatchEvent(new Event("input"));
    later(20);
    expect(lines()).toHaveLength(1);
    press("Escape");
    later(20);
    expect(lines()).toHaveLength(2);
  });
  it("keeps the focus while lines move", () => {
    const { line, source } = panelStage([one("btag")]);
    line("btag").click();
    later(20);
    line("v0023").focus();
    const [info] = one("btag");
    source.links
      .get("btag")
      ?.give({ type: "upsert", from: 1, rev: 2, scan: info, rows: [row("v0023", { value: 0.9 })] });
    later(20);
    expect((document.activeElement as HTMLElement).dataset["job"]).toBe("v0023");
  });
});
