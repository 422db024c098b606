import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FACTS, option, parameter, stage, wrong } from "./formkit";
import { labelled, later } from "./kit";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("the form", () => {
  it("shows parameters, their defaults and the cell as they were checked last", () => {
    const { root, one, start } = stage();
    expect(one("h3").textContent).toBe("Scan train.ipynb");
    expect(root.textContent).toContain("3 parameters found in cell 2");
    expect([...root.querySelectorAll(".gf-name")].map((name) => name.textContent)).toEqual([
      "lrlearning rate",
      "layers",
      "seed",
    ]);
    expect(one("pre").textContent).toBe("%%gridscan train.ipynb\nlr = [0.1, 0.2]");
    expect(one(".gf-sum").textContent).toBe("2 variants");
    expect(start().textContent).toBe("Start 2 jobs");
  });
  it("takes names, comments and answers as text only", () => {
    const bad = "<img src=x onerror='window.hit=1'>";
    const facts = { ...FACTS, notebook: bad, parameters: [parameter(bad, { comment: bad })] };
    const { root, model, type } = stage({ facts });
    type(`Value of ${bad}`, "x");
    later(200);
    model.answer({ cell: bad, ...wrong(bad, bad, { suggestion: bad }), warning: bad });
    expect(root.querySelector("img")).toBeNull();
    expect(root.textContent).toContain(bad);
  });
  it("shows the titles of profiles among the backends", () => {
    const titles = { lab: "A100 nodes", other: "", "<b>": "<i>" };
    const choices = ["local", "lab", "other", "<b>"];
    const where = [option("on", { kind: "choice", choices, titles })];
    const { root } = stage({ facts: { ...FACTS, where } });
    const listed = [...labelled(root, "on").querySelectorAll("option")];
    expect(listed.map((one) => [(one as HTMLOptionElement).value, one.textContent])).toEqual([
      ["local", "local"],
      ["lab", "lab (A100 nodes)"],
      ["other", "other"],
      ["<b>", "<b> (<i>)"],
    ]);
  });
  it("gives every input, choice and switch a name", () => {
    const { root, kinds } = stage();
    kinds("lr")[2]!.click();
    const controls = [...root.querySelectorAll("input, select, [role=radiogroup], [role=group]")];
    expect(controls.length).toBeGreaterThan(15);
    expect(controls.every((control) => control.getAttribute("aria-label"))).toBe(true);
    expect(root.querySelector("[role=switch]")?.textContent).toBe("log");
  });
  it("keeps its keys from the notebook around it", () => {
    const { kinds, field, start } = stage();
    for (const control of [kinds("lr")[0]!, field("on"), start()]) {
      control.focus();
      expect(control.hasAttribute("data-lm-suppress-shortcuts")).toBe(true);
    }
    const hold = (type: string, ctrlKey: boolean): boolean =>
      start().dispatchEvent(new KeyboardEvent(type, { key: "Control", ctrlKey, bubbles: true }));
    hold("keydown", true);
    expect(start().hasAttribute("data-lm-suppress-shortcuts")).toBe(false);
    hold("keyup", false);
    expect(start().hasAttribute("data-lm-suppress-shortcuts")).toBe(true);
  });
  it("folds away what is seldom needed, until it has a value or something is wrong with it", () => {
    const rare = option("gpu_model", { group: "GPUs" });
    const facts = { ...FACTS, where: [...FACTS.where, rare] };
    const folded = (root: HTMLElement): boolean => !root.querySelector("details")!.open;
    const { root, model, type } = stage({ facts });
    expect(folded(root)).toBe(true);
    type("Value of lr", "x");
    later(200);
    model.answer(wrong("--gpu-model", "It is no name."));
    expect(folded(root)).toBe(false);
    const state = { options: { gpu_model: "A100" } };
    expect(folded(stage({ facts, state }).root)).toBe(false);
  });
  it("takes several values in one field, and has groups with their titles", () => {
    const files = option("files", { kind: "several", help: "Files beside it." });
    const site = option("exclude_site", {
      kind: "several",
      group: "PanDA",
      flag: "--exclude-site",
    });
    const { field, root, type, model } = stage({
      facts: { ...FACTS, where: [...FACTS.where, files, site] },
    });
    type("files", "a.npz 'b c.npz'");
    later(200);
    expect(model.sent.at(-1)?.state.options).toMatchObject({ files: "a.npz 'b c.npz'" });
    const help = root.querySelector(`#${field("files").getAttribute("aria-describedby")}`);
    expect(help?.textContent).toBe("Files beside it.");
    expect(labelled(root, "PanDA").contains(field("exclude_site"))).toBe(true);
  });
  it("has a field of several lines where each is a value", () => {
    const setup = option("setup", { kind: "lines", help: "Lines of shell." });
    const { field, type, model } = stage({ facts: { ...FACTS, where: [...FACTS.where, setup] } });
    expect(field("setup").tagName).toBe("TEXTAREA");
    type("setup", "module load cuda\nsource x.sh");
    later(200);
    expect(model.sent.at(-1)?.state.options).toMatchObject({
      setup: "module load cuda\nsource x.sh",
    });
  });
  it("shows warnings, and takes them back", () => {
    const { one, type, model, start } = stage();
    type("Value of lr", "1");
    later(200);
    model.answer({ warnings: ["steps keeps the old batch.", "<b>two</b>"] });
    expect(one(".gg-warnings").textContent).toBe("steps keeps the old batch.<b>two</b>");
    expect(one(".gg-warnings").getAttribute("role")).toBe("status");
    expect(start().hasAttribute("aria-disabled")).toBe(false);
    model.answer();
    type("Value of lr", "2");
    later(200);
    model.answer();
    expect(one(".gg-warnings").hidden).toBe(true);
  });
  it("asks at once when nothing was checked yet", () => {
    const { model } = stage({ checked: {} });
    later(150);
    expect(model.sent).toHaveLength(1);
  });
  it.each([undefined, null, 3, "x", [], { parameters: 3, search: "x", where: [null] }])(
    "draws something when the traits are %j",
    (value) => {
      const { root } = stage({ facts: value, state: value, checked: value });
      expect(root.querySelector(".gridgpu-form")).not.toBeNull();
    },
  );
});

describe("saving as a file", () => {
  it("sends what is filled in, and says what came of it", () => {
    const { root, model, type, one, press } = stage();
    [...root.querySelectorAll("button")].find((b) => b.textContent === "Save as file…")!.click();
    expect(document.activeElement).toBe(labelled(root, "Name of the file"));
    type("Name of the file", "best.yaml");
    one(".gf-save [role=switch]").click();
    press("Enter");
    const asked = model.sent.at(-1) as unknown as Record<string, unknown>;
    expect(asked).toMatchObject({ type: "save", path: "best.yaml", overwrite: true });
    expect(asked["state"]).toMatchObject({ metric: "" });
    model.emit("msg:custom", { type: "saved", text: "Saved: other", id: "save-x-1" });
    expect(one(".gf-save [role=status]").textContent).toBe("");
    model.emit("msg:custom", { type: "saved", text: "Saved: best.yaml", id: asked["id"] });
    expect(one(".gf-save [role=status]").textContent).toBe("Saved: best.yaml");
    press("Escape");
    expect(one(".gf-save").hidden).toBe(true);
  });
});

describe("one parameter", () => {
  it("changes how it varies with the arrow keys, and keeps one tab stop", () => {
    const { kinds, press, root, model } = stage();
    kinds("lr")[0]!.focus();
    press("ArrowRight");
    expect(document.activeElement).toBe(kinds("lr")[1]);
    expect(kinds("lr").map((kind) => kind.getAttribute("aria-checked"))).toEqual([
      ...["false", "true", "false", "false"],
    ]);
    expect(kinds("lr").filter((kind) => kind.tabIndex === 0)).toHaveLength(1);
    expect(labelled(root, "Values of lr, with commas between")).not.toBeNull();
    press("ArrowLeft");
    press("ArrowLeft");
    expect(labelled(root, "How often, with seeds as lr")).not.toBeNull();
    later(150);
    expect(model.sent.at(-1)?.state.parameters[0]).toMatchObject({ name: "lr", kind: "repeats" });
  });
  it("offers only kinds that make sense, and says why not the others", () => {
    const { kinds, one } = stage();
    expect(kinds("layers").map((kind) => kind.textContent)).toEqual(["fixed", "list"]);
    expect(one(".gf-impossible").textContent).toBe("rangerepeats");
    expect(one(".gf-impossible").title).toBe("layers is a list.");
  });
  it("keeps what was typed for another kind", () => {
    const { kinds, type, field } = stage();
    type("Value of lr", "0.7");
    kinds("lr")[2]!.click();
    type("Lower end of lr", "0.01");
    kinds("lr")[0]!.click();
    expect(field("Value of lr").value).toBe("0.7");
    kinds("lr")[2]!.click();
    expect(field("Lower end of lr").value).toBe("0.01");
  });
  it("ranges in points or over any value, linear or logarithmic", () => {
    const { kinds, choose, field, root, model, one } = stage();
    kinds("lr")[2]!.click();
    expect(field("How many points of lr").value).toBe("5");
    one("[role=switch]").click();
    expect(one("[role=switch]").getAttribute("aria-checked")).toBe("true");
    choose("Which values of lr", "any");
    expect(root.querySelector('[aria-label="How many points of lr"]')).toBeNull();
    expect(document.activeElement).toBe(field("Which values of lr"));
    later(150);
    expect(model.sent.at(-1)?.state.parameters[0]).toMatchObject({
      ...{ kind: "range", stepped: false, log: true, low: "0", high: "1" },
    });
  });
  it("counts its points", () => {
    const { kinds, model, one } = stage();
    kinds("lr")[1]!.click();
    later(150);
    model.answer({ points: { factors: [4], each: { lr: 4 } }, words: { lr: "x" } });
    expect(one('[aria-label="lr"] .gf-points').textContent).toBe("× 4");
    kinds("lr")[2]!.click();
    later(150);
    model.answer({ points: { factors: [], each: { lr: null } } });
    expect(one('[aria-label="lr"] .gf-points').textContent).toBe("any");
  });
});

describe("options", () => {
  it("that are new have a field by themselves, and an image its place in the head", () => {
    const where = [...FACTS.where, option("image"), option("queue", { help: "Where to." })];
    const { field, type, model } = stage({ facts: { ...FACTS, where } });
    expect(field("image").closest(".gf-head")).not.toBeNull();
    expect(field("queue").closest(".gf-settings")?.textContent).toContain("Where to.");
    type("queue", "gpu");
    type("image", "ml-base");
    later(150);
    expect(model.sent.at(-1)?.state.options).toMatchObject({ queue: "gpu", image: "ml-base" });
  });
  it("are sent as they are chosen", () => {
    const { choose, type, model, field } = stage();
    choose("on", "slurm");
    choose("Direction", "minimize");
    type("Metric", "min(loss)");
    choose("sampler", "tpe");
    later(150);
    const { options, direction, metric } = model.sent.at(-1)!.state;
    expect([options, direction, metric]).toEqual([
      { on: "slurm", gpus: "0", sampler: "tpe" },
      "minimize",
      "min(loss)",
    ]);
    expect([...field("sampler").querySelectorAll("option")].map((one) => one.value)).toEqual([
      ...["", "grid", "tpe"],
    ]);
  });
  it("suggest the notebook's metrics, by their best epoch first", () => {
    const { root, choose } = stage();
    const listed = (): string[] =>
      [...root.querySelectorAll("datalist option")].map((one) => one.getAttribute("value") ?? "");
    expect(listed()).toEqual(["max(acc)", "acc", "max(loss)", "loss"]);
    choose("Direction", "minimize");
    expect(listed()[0]).toBe("min(acc)");
  });
  it("have several objectives only where somebody adds them", () => {
    const { root, type, choose, model, field, one } = stage();
    expect(root.querySelectorAll("datalist")).toHaveLength(1);
    labelled(root, "Add an objective").click();
    expect(document.activeElement).toBe(field("Metric 2"));
    type("Metric", "acc");
    type("Metric 2", "loss");
    choose("Direction 2", "minimize");
    later(150);
    expect(model.sent.at(-1)?.state).toMatchObject({
      ...{ direction: "maximize", metric: "acc" },
      others: [{ direction: "minimize", metric: "loss" }],
    });
    model.answer(wrong("--maximize", "It is one already.", { part: "loss" }));
    expect(field("Metric 2").getAttribute("aria-invalid")).toBe("true");
    expect(field("Metric").getAttribute("aria-invalid")).toBeNull();
    one(".gf-status button").click();
    expect(document.activeElement).toBe(field("Metric 2"));
    labelled(root, "Remove objective 2").click();
    later(150);
    expect(model.sent.at(-1)?.state).toMatchObject({ others: [] });
    expect(document.activeElement).toBe(field("Metric"));
  });
  it("say in words what they come to", () => {
    const { type, model, root, one } = stage();
    type("Metric", "acd");
    later(150);
    model.answer({ words: { "--trials": "all 48" }, warning: "acd stands nowhere." });
    expect(root.textContent).toContain("all 48");
    expect(one(".gf-warning").textContent).toBe("acd stands nowhere.");
  });
});
