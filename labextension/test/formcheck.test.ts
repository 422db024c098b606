import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { WRITE_CELL } from "../src/components/form/writecell";
import { checked, type Stage, stage, wrong } from "./formkit";
import { later } from "./kit";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Returns a source of the same numbers from 0 to 1 for the same seed (a linear congruence). */
function numbers(seed: number): () => number {
  let value = seed;
  return () => {
    value = (value * 1664525 + 1013904223) % 2 ** 32;
    return value / 2 ** 32;
  };
}

describe("checking", () => {
  it("asks once when typing rests, with what was typed last", () => {
    const { type, model } = stage();
    for (const text of ["0", "0.", "0.2"]) {
      type("Value of lr", text);
      later(100);
    }
    expect(model.sent).toHaveLength(0);
    later(50);
    expect(model.sent).toHaveLength(1);
    expect(model.sent[0]?.state.parameters[0]).toMatchObject({ value: "0.2" });
  });
  it("believes the newest answer only, and no other view's", () => {
    const { type, model, one } = stage();
    type("Value of lr", "1");
    later(150);
    const old = model.sent[0]?.id;
    type("Value of lr", "2");
    later(150);
    model.answer({ cell: "new" });
    model.answer({ cell: "old" }, old);
    model.answer({ cell: "other" }, "other-2");
    model.emit("msg:custom", "nonsense");
    expect(one("pre").textContent).toContain("new");
  });
  it("checks the last edit though an earlier answer comes while typing rests", () => {
    const { type, model, one } = stage();
    type("Value of lr", "1");
    later(150);
    type("Value of lr", "2");
    later(50);
    model.answer({ cell: "for 1" });
    later(100);
    expect(model.sent).toHaveLength(2);
    model.answer({ cell: "for 2" });
    expect(one("pre").textContent).toContain("for 2");
  });
  it.each(Array.from({ length: 500 }, (_, seed) => seed))(
    "ends with the answer to the last edit, whatever comes between (%i)",
    (seed) => {
      const { type, model, one } = stage();
      const random = numbers(seed);
      let asked = 0;
      let last = "";
      for (let edit = 0; edit < 6; edit++) {
        last = String(edit);
        type("Value of lr", last);
        later(Math.floor(random() * 300));
        // The kernel answers in order, but some of its answers come late.
        while (asked < model.sent.length && random() < 0.5) answerNext();
      }
      later(150);
      while (asked < model.sent.length) answerNext();
      expect(one("pre").textContent).toContain(`for ${last}`);

      function answerNext(): void {
        const { id, state } = model.sent[asked++]!;
        model.answer({ cell: `for ${String(state.parameters[0]!["value"])}` }, id);
      }
    },
  );
  it("says after a second that checks wait, and takes it back", () => {
    const { type, model, one } = stage();
    type("Value of lr", "1");
    later(150 + 999);
    expect(one(".gf-status").textContent).toBe("");
    later(1);
    expect(one(".gf-status").textContent).toBe("Checks wait until the running cell ends.");
    model.answer();
    expect(one(".gf-status").textContent).toBe("");
  });
  it("says that the kernel has ended", () => {
    const { type, model, one } = stage();
    model.emit("comm:close");
    type("Value of lr", "1");
    later(5000);
    expect(one(".gf-status").textContent).toContain("The kernel has ended.");
    expect(model.sent).toHaveLength(0);
  });
  it("listens to nothing once it is gone", () => {
    const { type, model, leave, root } = stage();
    type("Value of lr", "1");
    leave();
    later(5000);
    expect(root.childElementCount).toBe(0);
    expect(model.sent).toHaveLength(0);
    expect([...model.callbacks.values()].every((set) => set.size === 0)).toBe(true);
  });
});

describe("mistakes", () => {
  const mistaken = (): Stage => {
    const made = stage();
    made.type("Value of lr", "0,2");
    later(150);
    made.model.answer(wrong("lr", "Not a number.", { part: "value", suggestion: "0.2" }));
    return made;
  };
  it("are told at their input, and the start waits", () => {
    const { field, one, start, root } = mistaken();
    const input = field("Value of lr");
    expect(input.getAttribute("aria-invalid")).toBe("true");
    const said = root.querySelector(`#${input.getAttribute("aria-describedby")}`);
    expect(said?.textContent).toBe("Not a number. Did you mean 0.2?");
    expect(start().getAttribute("aria-disabled")).toBe("true");
    expect(one(".gf-status").textContent).toBe("1 value to correct: lr");
    expect(one(".gg-live").textContent).toBe("lr Not a number.");
    const heard = vi.fn();
    root.addEventListener(WRITE_CELL, heard);
    start().click();
    expect(heard).not.toHaveBeenCalled();
  });
  it("are put right by the suggestion", () => {
    const { field, one, model } = mistaken();
    one(".gf-wrong button").click();
    expect(field("Value of lr").value).toBe("0.2");
    expect(document.activeElement).toBe(field("Value of lr"));
    later(150);
    expect(model.sent.at(-1)?.state.parameters[0]).toMatchObject({ value: "0.2" });
    model.answer();
    expect(field("Value of lr").hasAttribute("aria-invalid")).toBe(false);
    expect(one(".gf-wrong").hidden).toBe(true);
    expect(one(".gg-live").textContent).toBe("2 variants");
  });
  it("are reached by their link", () => {
    const { field, one } = mistaken();
    one(".gf-status button").click();
    expect(document.activeElement).toBe(field("Value of lr"));
  });
  it("of one end of a range mark that end", () => {
    const { kinds, model, field } = stage();
    kinds("lr")[2]!.click();
    later(150);
    model.answer(wrong("lr", "Not a number.", { part: "high" }));
    expect(field("Upper end of lr").getAttribute("aria-invalid")).toBe("true");
    expect(field("Lower end of lr").hasAttribute("aria-invalid")).toBe(false);
  });
  it.each([
    ["--trials", "trials", "trials"],
    ["--walltime", "walltime", "walltime"],
    ["--per-gpu", "per_gpu", "per_gpu"],
    ["--maximize", "Metric", "objective"],
    ["--minimize", "Metric", "objective"],
    ["--sampler", "sampler", "sampler"],
  ])("of %s are told there", (flag, label, name) => {
    const { type, model, field, one } = stage();
    type("Value of lr", "1");
    later(150);
    model.answer(wrong(flag, "That is wrong."));
    expect(field(label).getAttribute("aria-invalid")).toBe("true");
    expect(one(".gf-status").textContent).toBe(`1 value to correct: ${name}`);
    one(".gf-status button").click();
    expect(document.activeElement).toBe(field(label));
  });
  it("of the whole form are told at its foot", () => {
    const { type, model, one } = stage();
    type("Value of lr", "1");
    later(150);
    model.answer({ variants: null, ...wrong("", "There is no notebook train.ipynb.") });
    expect(one(".gf-status").textContent).toBe("There is no notebook train.ipynb.");
  });
  it("have no word for a form in which nothing varies", () => {
    const { one, start } = stage({ checked: checked({ variants: null }) });
    expect(one(".gf-status").textContent).toContain("Nothing varies yet");
    expect(start().getAttribute("aria-disabled")).toBe("true");
    expect(start().textContent).toBe("Start");
  });
});

describe("the start", () => {
  const take = (root: HTMLElement): unknown[] => {
    const taken: unknown[] = [];
    root.addEventListener(WRITE_CELL, (event) => {
      event.preventDefault();
      taken.push((event as CustomEvent).detail);
    });
    return taken;
  };
  it("asks for the cell to be written and run, and folds the form", () => {
    const { root, start, one } = stage();
    const taken = take(root);
    start().focus();
    start().click();
    expect(taken).toEqual([{ text: "%%gridscan train.ipynb\nlr = [0.1, 0.2]", run: true }]);
    expect(one(".gf-body").hidden).toBe(true);
    expect(one(".gf-written").textContent).toContain("The cell below was written.");
    expect(document.activeElement?.textContent).toBe("Change and write again");
    (document.activeElement as HTMLElement).click();
    expect(one(".gf-body").hidden).toBe(false);
    expect(one(".gf-written").hidden).toBe(true);
    expect(document.activeElement).toBe(start());
  });
  it("gives the cell to the user where nobody can write it", async () => {
    const { root, start, one } = stage();
    const writeText = vi.fn().mockResolvedValue(undefined);
    vi.stubGlobal("navigator", { clipboard: { writeText } });
    start().click();
    await vi.advanceTimersByTimeAsync(0);
    expect(writeText).toHaveBeenCalledWith("%%gridscan train.ipynb\nlr = [0.1, 0.2]");
    expect(one(".gf-note").textContent).toContain("Copy this cell below and run it.");
    expect(one(".gf-body").hidden).toBe(false);
    vi.unstubAllGlobals();
    expect(root.querySelector(".gf-written")?.hasAttribute("hidden")).toBe(true);
  });
  it("marks the cell where the clipboard is closed", async () => {
    const { start, one } = stage();
    vi.stubGlobal("navigator", {});
    start().click();
    await vi.advanceTimersByTimeAsync(0);
    expect(one(".gf-note").textContent).toBe("Copy this cell below and run it.");
    expect(document.getSelection()?.toString()).toContain("%%gridscan train.ipynb");
    vi.unstubAllGlobals();
  });
  it("checks first what was typed a moment ago", () => {
    const { root, start, type, model } = stage();
    const taken = take(root);
    type("Value of lr", "0.3");
    start().click();
    expect([taken.length, model.sent.length]).toEqual([0, 1]);
    model.answer({ cell: "%%gridscan train.ipynb\nlr = 0.3" });
    expect(taken).toEqual([{ text: "%%gridscan train.ipynb\nlr = 0.3", run: true }]);
  });
  it("does not happen when that was wrong, or was changed again", () => {
    const { root, start, type, model } = stage();
    const taken = take(root);
    type("Value of lr", "0,3");
    start().click();
    model.answer(wrong("lr", "Not a number."));
    type("Value of lr", "0.3");
    later(150);
    model.answer();
    type("Value of lr", "0.4");
    start().click();
    type("Value of lr", "0.45");
    later(150);
    model.answer();
    expect(taken).toEqual([]);
  });
  it("copies the cell on demand", async () => {
    const { one } = stage();
    const writeText = vi.fn().mockResolvedValue(undefined);
    vi.stubGlobal("navigator", { clipboard: { writeText } });
    one(".gf-copy:not([aria-expanded])").click();
    await vi.advanceTimersByTimeAsync(0);
    expect(writeText).toHaveBeenCalledOnce();
    expect(one(".gf-copy:not([aria-expanded])").textContent).toBe("Copied");
    later(2000);
    expect(one(".gf-copy:not([aria-expanded])").textContent).toBe("Copy");
    vi.unstubAllGlobals();
  });
});
