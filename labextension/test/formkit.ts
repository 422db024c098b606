/** A made-up notebook for the tests of the form, and a model that stands for its kernel. */
import widget from "../src/form";
import { FakeModel } from "./fakemodel";
import { labelled } from "./kit";

export type Loose = Record<string, unknown>;

const every = ["fixed", "list", "range", "repeats"];
export const parameter = (name: string, more: Loose = {}): Loose => ({
  ...{ name, default: "0.1", comment: "", kinds: every, why: "" },
  ...more,
});
export const option = (name: string, more: Loose = {}): Loose => ({
  ...{
    name,
    flag: `--${name.replaceAll("_", "-")}`,
    label: name,
    kind: "text",
    choices: [],
    titles: {},
    hint: "",
    help: `About ${name}.`,
    group: "",
    usual: "",
  },
  ...more,
});
export const FACTS = {
  notebook: "train.ipynb",
  ...{ cell: 2, more: 0, metrics: ["acc", "loss"] },
  parameters: [
    parameter("lr", { comment: "learning rate" }),
    parameter("layers", { default: "[1, 2]", kinds: ["fixed", "list"], why: "layers is a list." }),
    parameter("seed"),
  ],
  search: [
    option("sampler", { kind: "choice", choices: ["grid", "tpe"] }),
    option("trials", { kind: "number" }),
    option("name"),
  ],
  where: [
    option("on", { kind: "choice", choices: ["local", "slurm"] }),
    option("gpus", { kind: "number" }),
    option("walltime"),
    option("per_gpu", { kind: "number" }),
  ],
};
const wish = (name: string): Loose => ({
  ...{ name, kind: "fixed", value: "0.1", items: "0.1, 0.2", times: "3" },
  ...{ low: "0", high: "1", points: "5", stepped: true, log: false },
});
const STATE = {
  parameters: ["lr", "layers", "seed"].map(wish),
  ...{ direction: "maximize", metric: "", options: { on: "local", gpus: "0" } },
};
export const checked = (more: Loose = {}): Loose => ({
  ...{ type: "checked", cell: "%%gridscan train.ipynb\nlr = [0.1, 0.2]", variants: 2 },
  ...{ points: { factors: [2], each: { lr: 2 }, trials: null, grid: 2 }, words: {}, errors: [] },
  ...{ warning: null, warnings: [] },
  ...more,
});
export const wrong = (field: string, text: string, more: Loose = {}): Loose => ({
  errors: [{ field, part: "", text, suggestion: null, ...more }],
});

interface Asked {
  type: string;
  state: typeof STATE;
  id: string;
}

/** The kernel's end of the form. */
class FormModel extends FakeModel<Asked> {
  answer(more: Loose = {}, id = this.sent.at(-1)?.id): void {
    this.emit("msg:custom", { ...checked(more), id });
  }
}

export interface Stage {
  model: FormModel;
  root: HTMLElement;
  leave(): void;
  one(selector: string): HTMLElement;
  field(label: string): HTMLInputElement;
  type(label: string, text: string): void;
  choose(label: string, value: string): void;
  kinds(name: string): HTMLElement[];
  press(key: string): void;
  start(): HTMLElement;
}

export function stage(traits: Loose = {}): Stage {
  document.body.replaceChildren();
  const el = document.body.appendChild(document.createElement("div"));
  const model = new FormModel({ facts: FACTS, state: STATE, checked: checked(), ...traits });
  const leave = widget().render({ model, el });
  const one = (selector: string): HTMLElement => el.querySelector<HTMLElement>(selector)!;
  const field = (label: string): HTMLInputElement => labelled(el, label) as HTMLInputElement;
  return {
    ...{ model, leave, one, field, root: el },
    type(label, text) {
      field(label).value = text;
      field(label).dispatchEvent(new Event("input"));
    },
    choose(label, value) {
      field(label).value = value;
      field(label).dispatchEvent(new Event("change"));
    },
    kinds: (name) => [
      ...labelled(el, `How ${name} varies`).querySelectorAll<HTMLElement>("[role=radio]"),
    ],
    press(key) {
      const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
      document.activeElement?.dispatchEvent(event);
    },
    start: () => one(".gf-foot .gg-p"),
  };
}
