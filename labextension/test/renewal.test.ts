import { describe, expect, it } from "vitest";
import { leads, renewed } from "../src/lab/renewal";
import { MIME_TYPE } from "../src/lab/tokens";

const shown = (more: object = {}): never =>
  ({
    output_type: "display_data",
    metadata: { kept: true },
    data: {
      [MIME_TYPE]: { id: "s1", snapshot: { rows: [] } },
      "text/html": ["<p>\n", "running</p>"],
      "text/plain": "<Scan>",
      "application/vnd.jupyter.widget-view+json": { model_id: "m" },
      ...more,
    },
  }) as never;
const END = {
  [MIME_TYPE]: { id: "s1", snapshot: { rows: [1] } },
  "text/html": "<p>\ndone</p>",
  "text/plain": "<Scan: done>",
};

describe("a saved output", () => {
  it("gets all forms of the end, and keeps the rest", () => {
    const made = renewed(shown(), "s1", END) as unknown as { data: object; metadata: object };
    expect(made.data).toEqual({
      ...END,
      "application/vnd.jupyter.widget-view+json": { model_id: "m" },
    });
    expect(made.metadata).toEqual({ kept: true });
  });
  it("is renewed once: not if it shows the end already, in one text or in lines", () => {
    const made = renewed(shown(), "s1", END);
    expect(renewed(made!, "s1", END)).toBeNull();
    const lines = { ...END, "text/html": ["<p>\n", "done</p>"] };
    expect(renewed(shown(lines), "s1", END)).toBeNull();
  });
  it.each([
    ["another scan", shown(), "s2"],
    ["a text", { output_type: "stream", name: "stdout", text: "s1" } as never, "s1"],
  ])("of %s stays", (_, output, scan) => {
    expect(renewed(output, scan, END)).toBeNull();
  });
});

describe("windows that share a notebook", () => {
  const window = (clientID: number, ...others: number[]): Parameters<typeof leads>[0] => ({
    clientID,
    getStates: () => new Map([clientID, ...others].map((id) => [id, {}])),
  });
  it("leave the renewal to one of them", () => {
    expect([window(3, 7, 9), window(7, 3, 9), window(9, 3, 7)].map(leads)).toEqual([
      ...[true, false, false],
    ]);
  });
  it("need nobody else where there is one", () => {
    expect([leads(null), leads(undefined), leads(window(5))]).toEqual([true, true, true]);
  });
});
