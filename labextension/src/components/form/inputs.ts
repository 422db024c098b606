/** The small parts of the form: inputs, choices, a switch, and what stands below a field that is wrong. */
import { drawIfChanged, h, setAttributes } from "../ui/dom";
import { t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { full } from "../ui/text";
import type { Complaint } from "./messages";

let made = 0;
export const newId = (): string => `gridgpu-form-${(made += 1)}`;

export interface InputLook {
  label: string;
  value: string;
  /** A class that gives the width. */
  width: string;
  hint?: string;
  title?: string | null;
}

export function input(look: InputLook, set: (text: string) => void): HTMLInputElement {
  const element = h("input", {
    type: "text",
    class: look.width,
    "aria-label": look.label,
    title: look.title ?? null,
    placeholder: look.hint || null,
    maxlength: 2000,
    ...{ spellcheck: "false", autocomplete: "off", autocapitalize: "off" },
  });
  element.value = look.value;
  element.addEventListener("input", () => set(element.value));
  return element;
}

export interface Choice {
  value: string;
  text: string;
}

/** A choice of the browser's own kind, so that its list and its keys are those of the platform. */
export function select(
  look: Omit<InputLook, "hint">,
  choices: readonly Choice[],
  set: (value: string) => void,
): HTMLElement {
  const options = choices.map(({ value, text }) => h("option", { value }, text));
  const box = h("select", { "aria-label": look.label, title: look.title ?? null }, ...options);
  if (!choices.some(({ value }) => value === look.value)) {
    box.append(h("option", { value: look.value }, look.value));
  }
  box.value = look.value;
  box.addEventListener("change", () => set(box.value));
  return h("span", { class: `gf-select ${look.width}` }, box, icon("down"));
}

export function toggle(label: string, on: boolean, set: (on: boolean) => void): HTMLElement {
  const element = h(
    "button",
    { type: "button", class: "gf-switch", role: "switch", "aria-checked": String(on) },
    h("i"),
    label,
  );
  element.addEventListener("click", () => {
    const next = element.getAttribute("aria-checked") !== "true";
    element.setAttribute("aria-checked", String(next));
    set(next);
  });
  return element;
}

/** What is wrong with a field, in words below it. */
export class ComplaintBox {
  readonly element = h("div", { class: "gf-wrong", id: newId() });

  constructor(private readonly take: (wrong: Complaint) => void) {
    this.element.hidden = true;
  }

  /** Shows the complaint, and ties it to the inputs that it is about. */
  update(
    wrong: Complaint | null,
    inputs: readonly HTMLElement[],
    blamed: readonly HTMLElement[],
  ): void {
    this.element.hidden = wrong === null;
    drawIfChanged(this.element, JSON.stringify(wrong), () => (wrong ? this.words(wrong) : []));
    for (const one of inputs) {
      const guilty = wrong !== null && blamed.includes(one);
      setAttributes(one, {
        "aria-invalid": guilty ? "true" : null,
        "aria-describedby": guilty ? this.element.id : null,
      });
    }
  }

  private words(wrong: Complaint): (Node | string)[] {
    if (wrong.suggestion === null) return [full(wrong.text)];
    const words = full(wrong.suggestion);
    const link = h("button", { type: "button", class: "gg-l gg-c" }, words);
    link.addEventListener("click", () => this.take(wrong));
    const [before = "", after = ""] = t("Did you mean %1?", "\u0000").split("\u0000");
    return [`${full(wrong.text)} ${before}`, link, after];
  }
}
