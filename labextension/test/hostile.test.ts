/** Texts from jobs and from strangers' notebooks that are made to mislead. */
import { afterEach, describe, expect, it } from "vitest";
import { button, h, setText } from "../src/components/ui/dom";
import { clip, shown } from "../src/components/ui/text";
import { labelled, metric, row, stage } from "./kit";

/** What no page may show: it turns words around, or nobody sees it. */
// eslint-disable-next-line no-control-regex
const HIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e]/u;
const MISLEADING: [what: string, text: string, seen: string][] = [
  ["an override", "acc\u202eredrum", "acc\ufffdredrum"],
  ["an isolate that stays open", "acc\u2067x", "acc\ufffdx"],
  ["an isolate that is closed twice", "acc\u2069\u2069", "acc\ufffd\ufffd"],
  ["a mark of direction", "acc\u200f", "acc\ufffd"],
  ["a space of no width", "a\u200bcc", "a\ufffdcc"],
  ["a filler of Hangul", "acc\u3164", "acc\ufffd"],
  ["a tag character", "acc\u{e0041}", "acc\ufffd"],
  ["half of a pair", "acc\ud800", "acc\ufffd"],
  ["a separator of lines", "a\u2028cc", "a\ufffdcc"],
  ["a null", "acc\u0000", "acc\ufffd"],
  ["a C1 control", "acc\u009b31m", "acc\ufffd31m"],
  ["a colour", "\u001b[31macc\u001b[0m", "acc"],
  ["a title of a terminal", "\u001b]0;gone\u0007acc", "acc"],
];

afterEach(() => document.body.replaceChildren());

describe("hidden characters", () => {
  it.each(MISLEADING)("%s is seen, wherever it is shown", (_, text, seen) => {
    expect(shown(text)).toBe(seen);
    expect(clip(text)).toBe(seen);
    const made = h("b", { title: text, "aria-label": text, "data-id": text }, text);
    expect([made.textContent, made.title, made.ariaLabel]).toEqual([seen, seen, seen]);
    // What code reads is kept as it is.
    expect(made.dataset["id"]).toBe(text);
    setText(made, text);
    expect(made.textContent).toBe(seen);
    expect(button(text, [text]).title).toBe(seen);
  });

  it("leaves other texts alone, with their tabs and lines", () => {
    for (const text of ["a\tb\r\nc", "Ελληνικά", "日本語", "💡", "é", "שלום"])
      expect(shown(text)).toBe(text);
  });

  it("keeps texts from right to left from turning the words around them", () => {
    const metricName = clip("דיוק\u2069 1");
    expect(metricName).toBe("\u2068דיוק\ufffd 1\u2069");
    expect(shown(`best ${metricName}, v0001`)).toBe("best \u2068דיוק\ufffd 1\u2069, v0001");
    expect(clip(clip("דיוק"))).toBe(clip("דיוק"));
  });

  it("is quick with long texts", () => {
    const start = performance.now();
    for (const text of ["\u202e", "\u2068", "\u001b[", "\u001b]", "\u2068a\u2069"])
      expect(shown(text.repeat(100_000)).length).toBeGreaterThanOrEqual(0);
    expect(performance.now() - start).toBeLessThan(20_000);
  });
});

const NAMES = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"];

describe("a hostile scan", () => {
  it("shows what prototypes are called as columns with their values", () => {
    const pairs = NAMES.map((name, index) => [name, `value ${index}`] as const);
    const params = JSON.parse(`{${pairs.map(([k, v]) => `"${k}":"${v}"`).join(",")}}`);
    const metrics = JSON.parse(
      `{${NAMES.map((name, i) => `"${name}":${JSON.stringify(metric(i + 0.5, i + 0.25))}`)}}`,
    );
    const names = { params: NAMES, varied: NAMES, best: "v0001" };
    const table = stage([row("v0001", { params, metrics })], names);
    labelled(table.element, "Columns").click();
    for (const box of table.element.querySelectorAll<HTMLInputElement>("input[data-key]")) {
      if (box.disabled) continue;
      // A choice of the user counts, and not only what fits.
      if (box.checked) box.click();
      box.click();
    }
    for (const [name, value] of pairs) expect(table.cell("v0001", name)).toBe(value);
    const values = NAMES.map((name) => Number(table.cell("v0001", `metric:${name}`)));
    expect(values).toEqual(NAMES.map((_, i) => i + 0.25));
  });

  it("shows no hidden character anywhere, and no link that runs code", () => {
    const nasty = "\u001b[31m<b onclick=x>\u202e\u200b\u0000\ud800</b>";
    const more = { where: nasty, gpu: nasty, message: nasty, reason: nasty, notebook: nasty };
    const params = { [nasty]: nasty };
    const metrics = { [nasty]: metric(1, 2) };
    const rows = ["failed", "queued", "done"].map((state, i) =>
      row(`v000${i + 1}`, { ...more, params, metrics, state: state as never, link: "data:,x" }),
    );
    const names = { name: nasty, notebook: nasty, note: nasty, warnings: [nasty] };
    const objective = { metric: nasty, direction: "maximize", reduction: "max" } as const;
    const table = stage(rows, { ...names, params: [nasty], varied: [nasty], objective });
    table.press("Enter");
    const seen = [table.element.textContent ?? ""];
    for (const one of table.element.querySelectorAll("*")) {
      seen.push(one.getAttribute("title") ?? "", one.getAttribute("aria-label") ?? "");
    }
    expect(seen.join("\n")).not.toMatch(HIDDEN);
    expect(table.element.querySelectorAll("[onclick], a[href]")).toHaveLength(0);
  });

  it("cannot widen the table by an id of a saved output", () => {
    const table = stage([row(`v${"9".repeat(100_000)}`)]);
    const columns = table.element.querySelector<HTMLElement>(".gg-grid")?.getAttribute("style");
    expect(columns ?? "").not.toMatch(/\d{5,}px/);
  });
});
