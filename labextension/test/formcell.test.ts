import { describe, expect, it } from "vitest";
import { colourCode, drawCell } from "../src/components/form/cell";
import { variantsText } from "../src/components/form/foot";
import { asCheckedForm, asFormContent, asFormState } from "../src/components/form/messages";
import { checked, FACTS, wrong } from "./formkit";

describe("the cell", () => {
  it.each([
    "geomspace(1e-4, .5, 12)",
    '["a 1", True, x1, 2]',
    "choice([1_000], 'it\\'s')",
    "",
    "0,2",
  ])("keeps every character of %s", (text) => {
    const box = document.createElement("pre");
    box.append(...colourCode(text));
    expect(box.textContent).toBe(text);
  });
  it("colours numbers and strings, not the digits in names", () => {
    const box = document.createElement("pre");
    box.append(...colourCode('f1(1e-4, "2", None)'));
    expect([...box.children].map((one) => [one.className, one.textContent])).toEqual([
      ["gf-number", "1e-4"],
      ["gf-string", '"2"'],
      ["gf-keyword", "None"],
    ]);
  });
  it("underlines what is wrong", () => {
    const box = document.createElement("pre");
    const { errors } = wrong("lr", "x");
    const others = ["--trials", "row 1"].flatMap((field) => wrong(field, "x").errors);
    const cell = "%%gridscan a.ipynb --trials 1,0 --on local\nlr  = 0,2\nlr2 = 3\nif lr = 1:";
    const lines = ["lr", "lr2", "row 1"];
    const answer = { cell, lines, errors: [...(errors as unknown[]), ...others] };
    drawCell(box, asCheckedForm(checked(answer))!);
    expect([...box.querySelectorAll("s")].map((one) => one.textContent)).toEqual([
      "--trials 1,0",
      "0,2",
      " lr = 1:",
    ]);
    expect(box.textContent).toBe(cell);
  });
});

describe("what comes over the wire", () => {
  it.each([
    [{ variants: 144, points: { factors: [3, 4, 12] } }, "3 × 4 × 12 = 144 variants"],
    [{ variants: 1, points: { factors: [1] } }, "1 variant"],
    [{ variants: 12000, points: { factors: [12000] } }, "12,000 variants"],
    [{ variants: null }, ""],
  ])("%j is written out", (more, words) => {
    expect(variantsText(asCheckedForm(checked(more))!)).toBe(words);
  });
  it("makes a state of the facts, whatever was kept", () => {
    const facts = asFormContent(FACTS);
    const state = asFormState({ parameters: [{ name: "seed", kind: "odd", log: 1 }, 3] }, facts);
    expect(state.parameters).toMatchObject([
      { name: "lr", kind: "fixed" },
      { name: "layers", kind: "fixed" },
      { name: "seed", kind: "fixed", log: false },
    ]);
  });
  it.each([null, 3, "checked", {}, { type: "other" }])("%j is no answer", (value) => {
    expect(asCheckedForm(value)).toBeNull();
  });
});
