import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { labelled, row, stage } from "./kit";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a parameter that is not active", () => {
  const rows = [
    row("v0001", { params: { opt: "adam" } }),
    row("v0002", { params: { opt: "sgd", mom: 0.9 } }),
    row("v0003", { params: { opt: "sgd", mom: 0.5 } }),
    row("v0004", { params: { opt: "rms", mom: null } }),
  ];
  const names = { params: ["opt", "mom"], varied: ["opt", "mom"] };
  it("is a dash that says why, and a value None is none", () => {
    const { cell, row: find, element } = stage(rows, names);
    expect(["v0001", "v0002", "v0004"].map((id) => cell(id, "mom"))).toEqual([
      "–",
      "0.900",
      "None",
    ]);
    const title = find("v0001").querySelector<HTMLElement>('[data-col="mom"]')?.title;
    expect(title).toBe("not active: the notebook's own value counts");
    labelled(element, "Log of v0001").click();
    expect(element.querySelector(".gg-pane")?.textContent).toContain("opt = adam");
    expect(element.querySelector(".gg-pane")?.textContent).toContain("mom = –");
  });
  it("stands behind all values, whichever way the column sorts", () => {
    const { element, ids } = stage(rows, names);
    const header = element.querySelector<HTMLElement>('[role=columnheader][data-col="mom"]');
    header?.click();
    expect(ids()).toEqual(["v0003", "v0002", "v0004", "v0001"]);
    element.querySelector<HTMLElement>('[role=columnheader][data-col="mom"]')?.click();
    expect(ids().at(-1)).toBe("v0001");
  });
});
