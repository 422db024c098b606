import { describe, expect, it } from "vitest";
import { cleanLog } from "../src/components/log/clean";
import { gpuHours, paramText } from "../src/components/scan/values";
import {
  formatAlone,
  formatNumber,
  include,
  newStyle,
  padding,
  plusMinus,
} from "../src/components/ui/numbers";
import { clip, own } from "../src/components/ui/text";
import { duration, freshness } from "../src/components/ui/times";

function column(values: number[], digits = 3): string[] {
  const style = newStyle(digits);
  values.forEach((value) => include(style, value));
  return values.map((value) => formatNumber(value, style));
}

describe("numbers", () => {
  it("keep three significant digits and trailing zeros", () => {
    expect(column([0.00132, 0.000871, 0.112, 0.2])).toEqual([
      "0.00132",
      "0.000871",
      "0.112",
      "0.200",
    ]);
  });
  it("are whole in a column of whole numbers", () => {
    expect(column([64, 14200, 2000000])).toEqual(["64", "14200", "2000000"]);
  });
  it("use one notation per column", () => {
    expect(column([0.5, 0.00001])).toEqual(["5.00e-1", "1.00e-5"]);
    expect(column([0.5, 2.5e6])).toEqual(["5.00e-1", "2.50e6"]);
  });
  it("are written NaN and inf when not finite", () => {
    expect(column([NaN, Infinity, -Infinity, 1.5])).toEqual(["NaN", "inf", "-inf", "1.50"]);
  });
  it("line up on the decimal point", () => {
    const style = newStyle(3);
    [0.00132, 0.000871, 5].forEach((value) => include(style, value));
    expect(["0.00132", "0.000871", "5.00", "0", "NaN"].map((text) => padding(text, style))).toEqual(
      [1, 0, 4, 7, 0],
    );
  });
  it("round up without losing a digit", () => {
    expect(formatAlone(0.99999)).toBe("1.000");
    expect(formatAlone(171.3)).toBe("171.3");
  });
});

describe("repeats", () => {
  it("give sigma two digits and the value the same place", () => {
    expect(plusMinus([167.2, 168.4, 169.6])).toBe("168.4 ± 1.2 (3)");
    expect(plusMinus([0.9, 0.912])).toBe("0.9060 ± 0.0085 (2)");
  });
  it("manage one, none, equal and not finite", () => {
    expect(plusMinus([1.5])).toBe("1.500 (1)");
    expect(plusMinus([])).toBe("–");
    expect(plusMinus([2, 2])).toBe("2 ± 0 (2)");
    expect(plusMinus([NaN, 1])).toBe("NaN (2)");
  });
});

describe("times", () => {
  it("are short", () => {
    expect([40, 1440, 3840, 183600].map(duration)).toEqual([
      "40 s",
      "24 min",
      "1 h 04 min",
      "2 d 3 h",
    ]);
  });
  it("say GPU hours with two decimals below ten", () => {
    expect([gpuHours(3600), gpuHours(77040)]).toEqual(["1.00 GPU-h", "21.4 GPU-h"]);
  });
  it("say as of when what is shown is old or cut off", () => {
    expect(freshness(1000, 1001, false)).toBe("updated now");
    expect(freshness(1000, 1030, false)).toBe("updated 30 s ago");
    expect(freshness(1000, 1001, true)).toMatch(/^as of \d\d:\d\d$/);
    expect(freshness(1000, 2000, false)).toMatch(/^as of/);
  });
});

describe("texts", () => {
  it("are bounded", () => expect(clip("x".repeat(900))).toHaveLength(200));
  it("write parameters as Python does", () => {
    expect([null, true, false, "a", [1, 2]].map(paramText)).toEqual([
      "None",
      "True",
      "False",
      "a",
      "[1, 2]",
    ]);
  });
  it("never read what a prototype holds", () => {
    expect(own({} as Record<string, unknown>, "__proto__")).toBeUndefined();
    expect(own({} as Record<string, unknown>, "constructor")).toBeUndefined();
  });
  it("of logs lose terminal codes and overwritten lines", () => {
    expect(cleanLog("1/9\r2/9\r\u001b[32m9/9\u001b[0m\r\nnext\b")).toBe("9/9\nnext");
  });
});
