import { describe, expect, it } from "vitest";
import { niceStep, stepTicks, valueAxis } from "../src/components/plot/axes";
import { type Series } from "../src/components/plot/geometry";
import { type Label, placeLabels } from "../src/components/plot/labels";
import { Plot } from "../src/components/plot/plot";
import type { Num } from "../src/wire";
import { labelled, press } from "./kit";

describe("axes", () => {
  it("have ticks at round numbers around all values", () => {
    expect(valueAxis([50, 171.3]).ticks).toEqual([30, 60, 90, 120, 150, 180]);
    expect(valueAxis([0.21, 0.58]).ticks.map(valueAxis([0.21, 0.58]).text)).toEqual(
      "0.20 0.30 0.40 0.50 0.60".split(" ").map((tick) => tick.slice(0, 3)),
    );
    expect([0.7, 3, 41].map(niceStep)).toEqual([1, 3, 50]);
  });
  it("are logarithmic when positive values span more than three decades", () => {
    const axis = valueAxis([1e-4, 3, 40]);
    expect(axis.log).toBe(true);
    expect(axis.text(1e-4)).toBe("1e-4");
    expect(axis.at(0.1)).toBeCloseTo(0.5);
    expect(valueAxis([0, 3, 4000]).log).toBe(false);
    expect(valueAxis([1, 900]).log).toBe(false);
  });
  it("bear one value, none, and the widest numbers there are", () => {
    for (const values of [[5], [], [-1.7e308, 1.7e308], [NaN, Infinity]]) {
      const { ticks, at } = valueAxis(values);
      expect(ticks.length).toBeLessThan(20);
      for (const value of values.filter(Number.isFinite)) {
        expect(at(value)).toBeGreaterThanOrEqual(-1e-9);
        expect(at(value)).toBeLessThanOrEqual(1 + 1e-9);
      }
    }
  });
  it("name both ends of the epochs and whole ones between", () => {
    expect(stepTicks(1, 20)).toEqual([1, 5, 10, 15, 20]);
    expect(stepTicks(1, 3)).toEqual([1, 2, 3]);
    expect(stepTicks(7, 7)).toEqual([7]);
  });
});

describe("names at the ends of curves", () => {
  const room = { right: 480, width: 600, top: 10, bottom: 190 };
  const label = (id: string, x: number, y: number, rank = 0): Label => ({
    id,
    text: `${id} 171.3`,
    x,
    y,
    rank,
  });

  it("never cover each other, in the order of their curves", () => {
    const crowd = Array.from({ length: 40 }, (_, i) =>
      label(`v${i}`, 480, 20 + i * 3, i === 7 ? 2 : 0),
    );
    const placed = placeLabels(crowd, room);
    const heights = placed.map(({ y }) => y);
    expect([...heights].sort((a, b) => a - b)).toEqual(heights);
    heights.slice(1).forEach((y, i) => expect(y - (heights[i] ?? 0)).toBeGreaterThanOrEqual(13));
    expect(placed.map(({ id }) => id)).toContain("v7");
  });
  it("stand beside an end in the middle, where the fewest curves are", () => {
    const crossed = (_l: number, _r: number, top: number): number => (top > 100 ? 2 : 0);
    const [placed] = placeLabels([label("v1", 200, 100, 2)], { ...room, crossed });
    expect(placed?.y).toBeLessThan(100);
  });
  it("leave out what would be read across many curves", () => {
    const crossed = (): number => 9;
    expect(placeLabels([label("v1", 200, 100)], { ...room, crossed })).toEqual([]);
    expect(placeLabels([label("v1", 200, 100, 2)], { ...room, crossed })).toHaveLength(1);
  });
});

describe("the plot", () => {
  const series = (id: string, values: Num[], kind: Series["kind"] = "plain"): Series => ({
    ...{ id, kind },
    curve: { steps: values.map((_, i) => i + 1), values },
  });
  const show = (...all: Series[]): HTMLElement => {
    const plot = new Plot();
    document.body.replaceChildren(plot.element);
    plot.update({ metric: "acc", series: all });
    return plot.element;
  };

  it("tells its numbers, the opened one first", () => {
    const element = show(series("v0002", [0.1, 0.7]), series("v0001", [0.1, 0.5], "opened"));
    expect(element.querySelector("svg")?.getAttribute("aria-label")).toBe(
      "acc by epoch of 2 variants: v0001 0.5000, v0002 0.7000",
    );
  });
  it("breaks a line where a value is not a number", () => {
    const element = show(series("v0001", [1, 2, "NaN", 3, "Infinity", 4]));
    const path = element.querySelector(".gg-line-plain path")?.getAttribute("d") ?? "";
    expect(path.match(/M/g)).toHaveLength(3);
    expect(path).not.toMatch(/NaN|Infinity/);
  });
  it("draws at most 40 curves of 300 points", () => {
    const long = Array.from({ length: 5000 }, (_, i) => i);
    const element = show(...Array.from({ length: 60 }, (_, i) => series(`v${i}`, long)));
    const paths = [...element.querySelectorAll(".gg-line-plain path")];
    expect(paths).toHaveLength(40);
    expect(paths[0]?.getAttribute("d")?.split("L")).toHaveLength(300);
  });
  it("reads one epoch after another with the arrow keys", () => {
    const element = show(series("v0001", [0.1, 0.5, 0.9]));
    element.focus();
    press("ArrowLeft");
    expect(element.querySelector(".gg-readout")?.textContent).toBe("epoch 3v00010.9000");
    press("ArrowLeft");
    expect(element.querySelector("[role=status]")?.textContent).toBe("epoch 2: v0001 0.5000");
    press("Escape");
    expect(element.querySelector<HTMLElement>(".gg-readout")?.hidden).toBe(true);
  });
  it("says so when there is nothing to draw", () => {
    expect(show(series("v0001", ["NaN"])).textContent).toContain("No value of acc yet.");
  });
  it("shows hostile names as text and bears broken curves", () => {
    const nasty = "<script>alert(1)</script>";
    const odd = {
      id: nasty,
      kind: "plain" as const,
      curve: { steps: [1, "x", 3] as number[], values: [1] },
    };
    const element = show(odd);
    expect(element.querySelector("script")).toBeNull();
    expect(labelled(element, `acc by epoch of 1 variant: ${nasty} 1`)).not.toBeNull();
  });
});
