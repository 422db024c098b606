/** Inputs, choices and switches of the form, and the complaint below a field. */
import { drawIfChanged, h, setAttributes } from "../ui/dom";
import { t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { full } from "../ui/text";
import type { Complaint } from "./messages";

let idsMade = 0;

/** An id that no other element of the page has. */
export function newId(): string {
  idsMade += 1;
  return `gridgpu-form-${idsMade}`;
}

/** How an input looks and what it holds. */
export interface InputLook {
  label: string;
  value: string;
  /** A class that gives the width. */
  width: string;
  hint?: string;
  title?: string | null;
}

/** Makes a line of text; `set` is called with it as it is typed. */
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

/** Makes a field of several lines; `set` is called with all of them as they are typed. */
export function textarea(look: InputLook, set: (text: string) => void): HTMLTextAreaElement {
  const element = h("textarea", {
    class: look.width,
    "aria-label": look.label,
    title: look.title ?? null,
    placeholder: look.hint || null,
    rows: 2,
    maxlength: 20_000,
    ...{ spellcheck: "false", autocomplete: "off", autocapitalize: "off" },
  });
  element.value = look.value;
  element.addEventListener("input", () => set(element.value));
  return element;
}

/** One entry of a choice. */
export interface Choice {
  value: string;
  text: string;
}

/** Makes a choice of the browser's own kind, so that it has the list and keys of the platform. */
export function select(
  look: Omit<InputLook, "hint">,
  choices: readonly Choice[],
  set: (value: string) => void,
): HTMLElement {
  const options = choices.map(({ value, text }) => h("option", { value }, text));
  const box = h("select", { "aria-label": look.label, title: look.title ?? null }, ...options);
  // A value that a saved form has and the list does not is shown all the same.
  if (!choices.some(({ value }) => value === look.value)) {
    box.append(h("option", { value: look.value }, look.value));
  }
  box.value = look.value;
  box.addEventListener("change", () => set(box.value));
  return h("span", { class: `gf-select ${look.width}` }, box, icon("down"));
}

/** Makes a switch; `set` is called with its new position. */
export function toggle(label: string, on: boolean, set: (on: boolean) => void): HTMLElement {
  const wanted = { type: "button", class: "gf-switch", role: "switch" };
  const element = h("button", { ...wanted, "aria-checked": String(on) }, h("i"), label);
  element.addEventListener("click", () => {
    const next = element.getAttribute("aria-checked") !== "true";
    element.setAttribute("aria-checked", String(next));
    set(next);
  });
  return element;
}

/** Ties an explanation to a field. What is wrong with the field is said before it. */
export function describe(element: HTMLElement, id: string): void {
  element.dataset["explained"] = id;
  element.setAttribute("aria-describedby", id);
}

/** Says below a field what is wrong with it. */
export class ComplaintBox {
  readonly element = h("div", { class: "gf-wrong", id: newId() });

  /** `takeSuggestion` is called when the user takes what was probably meant. */
  constructor(private readonly takeSuggestion: (complaint: Complaint) => void) {
    this.element.hidden = true;
  }

  /** Shows a complaint, or none, and ties it to those of the inputs that it is about. */
  update(
    complaint: Complaint | null,
    inputs: readonly HTMLElement[],
    blamed: readonly HTMLElement[],
  ): void {
    this.element.hidden = complaint === null;
    drawIfChanged(this.element, JSON.stringify(complaint), () =>
      complaint ? this.content(complaint) : [],
    );
    for (const element of inputs) {
      const wrong = complaint !== null && blamed.includes(element);
      setAttributes(element, {
        "aria-invalid": wrong ? "true" : null,
        "aria-describedby": this.description(element, wrong),
      });
    }
  }

  private description(element: HTMLElement, wrong: boolean): string | null {
    const ids = [wrong ? this.element.id : "", element.dataset["explained"] ?? ""];
    return ids.filter(Boolean).join(" ") || null;
  }

  private content(complaint: Complaint): (Node | string)[] {
    if (complaint.suggestion === null) return [full(complaint.text)];
    const link = h("button", { type: "button", class: "gg-l gg-c" }, full(complaint.suggestion));
    link.addEventListener("click", () => this.takeSuggestion(complaint));
    // The link takes the place of `%1`, wherever a translation has it.
    const [before = "", after = ""] = t("Did you mean %1?", "\u0000").split("\u0000");
    return [`${full(complaint.text)} ${before}`, link, after];
  }
}
