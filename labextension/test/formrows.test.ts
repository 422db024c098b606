import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  addBranch,
  addTo,
  moveDown,
  moveUp,
  type ParameterChoice,
  putUnder,
  remove,
  type Row,
  rowOf,
  type TextRow,
} from "../src/components/form/rows";
import { asFormContent, asFormState } from "../src/components/form/messages";
import { type Loose, stage, wrong } from "./formkit";
import { labelled, later } from "./kit";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const WORDS = ["if", "elif", "else", "assert"];

/** Rows of a text: two spaces a level, a word of Python or the name of a parameter. */
function rowsOf(text: string): Row[] {
  const content = asFormContent({
    parameters: text.split("\n").map((line) => ({ name: line.trim() })),
  });
  const parameters = text.split("\n").map((line, i) => {
    const name = line.trim();
    const level = (line.length - line.trimStart().length) / 2;
    const word = WORDS.includes(name) ? name : "parameter";
    return { id: String(i), row: word, name, level };
  });
  return asFormState({ parameters }, content).parameters.filter(
    (row) => row.row !== "parameter" || !WORDS.includes(row.name),
  );
}

const textOf = (rows: readonly Row[]): string =>
  rows
    .map((row) => "  ".repeat(row.level) + (row.row === "parameter" ? row.name : row.row))
    .join("\n");

const TEXT = "a\nif\n  b\n  if\n    c\nelif\n  d\nelse\n  e\nf";
const newRow = (word: TextRow["row"]): TextRow => ({
  ...{ id: "new", row: word, level: 0, note: "", text: "", names: [] },
});
const fresh = (name: string): ParameterChoice =>
  asFormContent({ parameters: [{ name }] }).parameters[0]!.start;

describe("the order of rows", () => {
  it("goes through every place when a row moves down, and back", () => {
    const rows = rowsOf(TEXT);
    const row = rows[0]!;
    const seen: string[] = [textOf(rows)];
    while (moveDown(rows, rows.indexOf(row))) seen.push(textOf(rows));
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.map((text) => text.split("\n").findIndex((line) => line.trim() === "a"))).toEqual([
      0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 8, 9,
    ]);
    for (const text of seen.reverse().slice(1)) {
      moveUp(rows, rows.indexOf(row));
      expect(textOf(rows)).toBe(text);
    }
    expect(moveUp(rows, 0)).toBe(false);
  });
  it("moves a condition with all its branches", () => {
    const rows = rowsOf(TEXT);
    expect(moveDown(rows, 1)).toBe(true);
    expect(textOf(rows)).toBe("a\nf\nif\n  b\n  if\n    c\nelif\n  d\nelse\n  e");
    expect(moveDown(rows, 2)).toBe(false);
    moveUp(rows, 2);
    moveUp(rows, 1);
    expect(textOf(rows)).toBe("if\n  b\n  if\n    c\nelif\n  d\nelse\n  e\na\nf");
  });
  it("puts rows under conditions, and adds branches", () => {
    const rows = rowsOf("a\nb\nc");
    putUnder(rows, 1, newRow("if"));
    expect(textOf(rows)).toBe("a\nif\n  b\nc");
    addBranch(rows, 1, newRow("else"));
    expect(textOf(rows)).toBe("a\nif\n  b\nelse\nc");
    // Another branch has it, so it gets a second row; any other parameter moves.
    addTo(rows, 3, "b", () => fresh("b"));
    addTo(rows, 3, "a", () => fresh("a"));
    expect(textOf(rows)).toBe("if\n  b\nelse\n  b\n  a\nc");
  });
  it.each([
    ["if", 1, "a\nb\nif\n  c\nd\ne\nf"],
    ["elif", 5, "a\nif\n  b\n  if\n    c\nelse\n  e\nd\nf"],
    ["else", 7, "a\nif\n  b\n  if\n    c\nelif\n  d\ne\nf"],
  ])("keeps a row of every parameter when %s is removed", (_, at, left) => {
    const rows = rowsOf(TEXT);
    remove(rows, at, fresh);
    expect(textOf(rows)).toBe(left);
  });
  it("finds the row of a parameter that several branches give", () => {
    const rows = rowsOf("if\n  a\n  b\nelse\n  c\n  if\n    d\n  a\ne");
    const near = (name: string): number =>
      rows.findIndex((row) => row.row === "parameter" && row.name === name);
    expect(["b", "c", "d", "e"].map((name) => rowOf(rows, "a", near(name)))).toEqual([1, 7, 1, 1]);
    expect(rowOf(rows, "gone", 0)).toBe(-1);
  });

  it("removes the second row of a parameter with its condition", () => {
    const rows = rowsOf("if\n  a\nelse\n  b");
    addTo(rows, 2, "a", () => fresh("a"));
    remove(rows, 0, fresh);
    expect(textOf(rows)).toBe("a\nb");
  });
});

/** Presses an entry of a menu. */
function pick(root: HTMLElement, menu: string, entry: string): void {
  const button = labelled(root, menu);
  button.click();
  const items = [...button.parentElement!.querySelectorAll<HTMLElement>("[role=menuitem]")];
  items.find((one) => one.textContent === entry)!.click();
}

const sentRows = (model: ReturnType<typeof stage>["model"]): Loose[] => {
  later(200);
  return model.sent.at(-1)!.state.parameters;
};

describe("conditions in the form", () => {
  it("come from the menu of a parameter, which is then a row below", () => {
    const { root, model, type } = stage();
    pick(root, "More for seed", "Only under a condition…");
    expect(document.activeElement).toBe(labelled(root, "Condition"));
    type("Condition", "lr > 1");
    expect(labelled(root, "if lr > 1").contains(labelled(root, "seed"))).toBe(true);
    expect(sentRows(model)).toMatchObject([
      { name: "lr", level: 0 },
      { name: "layers", level: 0 },
      { row: "if", text: "lr > 1", level: 0 },
      { name: "seed", level: 1 },
    ]);
  });
  it("have other branches, where a parameter has a row of its own", () => {
    const { root, model, choose } = stage();
    pick(root, "More for seed", "Only under a condition…");
    pick(root, "More for this row", "Otherwise (else)");
    const choosers = [...root.querySelectorAll<HTMLSelectElement>("select")].filter(
      (one) => one.getAttribute("aria-label") === "Add a parameter below",
    );
    choosers[1]!.value = "seed";
    choosers[1]!.dispatchEvent(new Event("change"));
    choose("Add a parameter below", "layers");
    const rows = sentRows(model);
    expect(rows.map((row) => row["name"] ?? row["row"])).toEqual([
      ...["lr", "if", "seed", "layers", "else", "seed"],
    ]);
    expect(new Set(rows.map((row) => row["id"])).size).toBe(6);
  });
  it("show what is wrong at their row, and take the suggestion", () => {
    const { root, model, type, one, field } = stage();
    pick(root, "Add a condition or a constraint", "Constraint: assert …");
    type("Constraint", "lr = 1");
    later(200);
    const { id } = model.sent.at(-1)!.state.parameters[3] as unknown as { id: string };
    const more = { part: "text", suggestion: "lr == 1" };
    model.answer({ ...wrong(id, "Not an expression of Python.", more), lines: [id] });
    expect(field("Constraint").getAttribute("aria-invalid")).toBe("true");
    expect(one(".gf-status").textContent).toContain("1 value to correct: assert lr = 1");
    one(".gf-wrong:not([hidden]) button").click();
    expect(field("Constraint").value).toBe("lr == 1");
    expect(sentRows(model)[3]).toMatchObject({ row: "assert", text: "lr == 1" });
  });
  it("say how many points constraints leave", () => {
    const { root, model, type, one } = stage();
    pick(root, "Add a condition or a constraint", "Constraint: assert …");
    type("Constraint", "lr < 1");
    later(200);
    model.answer({ points: { factors: [2], each: {}, grid: 1200, unconstrained: 4000 } });
    expect(one(".gf-sum").textContent).toContain("constraints leave 1,200 of 4,000 points");
    expect(labelled(root, "assert lr < 1").textContent).toContain("1200 of 4000");
  });
});

describe("parameters that come together", () => {
  it("are a table, and are themselves again when taken out", () => {
    const { root, model, choose, type } = stage();
    pick(root, "More for lr", "Values together with others…");
    choose("Add a parameter", "seed");
    type("seed in row 1", "3");
    [...root.querySelectorAll("button")].find((one) => one.textContent === "Row")!.click();
    expect(document.activeElement).toBe(labelled(root, "lr in row 2"));
    type("lr in row 2", "0.2");
    expect(sentRows(model)).toMatchObject([
      { row: "together", names: ["lr", "seed"] },
      { name: "layers" },
    ]);
    expect(sentRows(model)[0]!["cells"]).toEqual([
      ["0.1", "3"],
      ["0.2", ""],
      ["", ""],
    ]);
    labelled(root, "Remove row 3").click();
    pick(root, "More for this row", "Take lr out");
    pick(root, "More for this row", "Take seed out");
    expect(sentRows(model).map((row) => row["name"])).toEqual(["seed", "lr", "layers"]);
  });
});

describe("a parameter that two branches give", () => {
  it("joins others in the branch where this was asked for", () => {
    const lr = (id: string, value: string): Loose => ({ id, row: "parameter", name: "lr", value });
    const parameters = [
      ...[
        { row: "if", id: "c", text: "seed" },
        { ...lr("lr", "1"), level: 1 },
      ],
      ...[
        { row: "else", id: "e" },
        { ...lr("row 1", "2"), level: 1 },
      ],
    ];
    const { root, model } = stage({ state: { parameters } });
    const second = [...root.querySelectorAll<HTMLElement>("[aria-label='More for lr']")].findLast(
      (one) => one.localName === "button",
    )!;
    second.click();
    [...root.querySelectorAll<HTMLElement>("[role=menuitem]")]
      .find((one) => one.textContent === "Values together with others…")!
      .click();
    const rows = sentRows(model);
    expect(rows.filter((row) => row["name"] === "lr")).toMatchObject([{ id: "lr", level: 1 }]);
    expect(rows.find(({ row }) => row === "together")).toMatchObject({ cells: [["2"], [""]] });
  });
});

describe("what is seldom wanted of a parameter", () => {
  it("is not there until it is asked for", () => {
    const { root } = stage();
    for (const word of ["assert", "elif", "together", "condition", "in order"]) {
      expect(root.textContent).not.toContain(word);
    }
  });
  it("is an order of the values, a step, or a value that follows", () => {
    const { root, kinds, model, choose, type, field } = stage();
    kinds("lr")[1]!.click();
    pick(root, "More for lr", "Their order means something");
    expect(sentRows(model)[0]).toMatchObject({ kind: "list", ordered: true });
    kinds("lr")[2]!.click();
    choose("Which values of lr", "step");
    type("Step of lr", "0.25");
    expect(sentRows(model)[0]).toMatchObject({ by_step: true, step: "0.25" });
    pick(root, "More for seed", "Let it follow from others…");
    expect(document.activeElement).toBe(field("Value of seed"));
    type("Value of seed", "lr * 2");
    later(200);
    model.answer({ words: { seed: "follows from lr" } });
    expect(labelled(root, "seed").textContent).toContain("follows from lr");
  });
  it("moves by its menu", () => {
    const { root, model } = stage();
    pick(root, "More for seed", "Move up");
    expect(sentRows(model).map((row) => row["name"])).toEqual(["lr", "seed", "layers"]);
    expect(labelled(root, "seed").contains(document.activeElement)).toBe(true);
  });
});

describe("rows of a cell that the form was opened on", () => {
  const line = { id: "row 1", row: "text", level: 0, text: "seed = f()", names: ["seed"] };
  it("stay as they are, and can be started without a count", () => {
    const { field, start, one, model, type, root } = stage({ state: { parameters: [line] } });
    expect(field("Lines of the cell").value).toBe("seed = f()");
    // The parameters that no line gives have rows of their own.
    expect([...root.querySelectorAll(".gf-name")].map((name) => name.textContent)).toEqual([
      ...["lrlearning rate", "layers", "lines"],
    ]);
    type("Lines of the cell", "seed = g()");
    later(200);
    model.answer({ unchecked: true, variants: null });
    expect(start().hasAttribute("aria-disabled")).toBe(false);
    expect(start().textContent).toBe("Start");
    expect(one(".gf-status").textContent).toBe("Lines of the cell are checked when it runs.");
    expect(sentRows(model)[2]).toMatchObject({ ...line, text: "seed = g()" });
  });
  it("give their parameters back when they are removed", () => {
    const { root, model } = stage({ state: { parameters: [line] } });
    pick(root, "More for this row", "Remove");
    expect(sentRows(model).map((row) => row["name"])).toEqual(["lr", "layers", "seed"]);
  });
  it.each([
    [[{ row: "together", names: ["lr", "gone", "seed"], cells: [["1", "2", "3"], 3, ["4"]] }]],
    [
      [
        { row: "else" },
        { row: "if", level: 9 },
        { row: "elif", level: 2 },
        { row: "x", name: "lr" },
      ],
    ],
    [Array.from({ length: 300 }, () => ({ row: "if", level: 300 }))],
  ])("are drawn whatever was kept (%#)", (parameters) => {
    const { model, type } = stage({ state: { parameters } });
    type("Value of layers", "1");
    const rows = sentRows(model);
    const [first] = rows.filter((row) => row["row"] === "together");
    if (first) expect(first).toMatchObject({ names: ["lr", "seed"] });
    if (first)
      expect(first["cells"]).toEqual([
        ["1", "3"],
        ["", ""],
        ["4", ""],
      ]);
    expect(rows.some((row) => row["name"] === "layers")).toBe(true);
  });
});
