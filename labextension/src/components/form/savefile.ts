/** Saves the scan of the form as a file, which `gridgpu run` takes. */
import { h, setAttributes, setText } from "../ui/dom";
import { t } from "../ui/i18n";
import { full } from "../ui/text";
import type { FormLink } from "./checks";
import { input, toggle } from "./inputs";
import type { FormState } from "./messages";

/** The button, and the line with the name of the file that it opens. */
export class SaveFile {
  readonly button = h("button", { type: "button", class: "gf-saving", "aria-expanded": "false" });
  readonly line = h("div", { class: "gf-line gf-save" });
  private readonly said = h("span", { class: "gg-q", role: "status" });
  private readonly box: HTMLInputElement;
  private readonly view = Math.random().toString(36).slice(2);
  private path = "scan.yaml";
  private overwrite = false;
  private asked = 0;
  private readonly unsubscribe: () => void;

  constructor(
    private readonly link: FormLink,
    private readonly state: FormState,
  ) {
    setText(this.button, t("Save as file…"));
    this.button.addEventListener("click", () => this.show(this.line.hidden !== false));
    const look = { label: t("Name of the file"), value: this.path, width: "gf-long" };
    this.box = input(look, (text) => (this.path = text));
    this.box.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.save();
      else if (event.key === "Escape") this.show(false);
    });
    const save = h("button", { type: "button" }, t("Save"));
    save.addEventListener("click", () => this.save());
    const overwrite = toggle(t("overwrite"), false, (on) => (this.overwrite = on));
    this.line.append(this.box, save, overwrite, this.said);
    this.line.hidden = true;
    this.unsubscribe = link.subscribe((message) => this.receive(message));
  }

  dispose(): void {
    this.unsubscribe();
  }

  private show(on: boolean): void {
    this.line.hidden = !on;
    setAttributes(this.button, { "aria-expanded": String(on) });
    setText(this.said, "");
    if (on) this.box.focus();
    else this.button.focus();
  }

  private save(): void {
    this.asked += 1;
    const { path, overwrite, state } = this;
    this.link.send({ type: "save", state, path, overwrite, id: this.questionId() });
  }

  /** The name of the newest question, which its answer repeats. */
  private questionId(): string {
    return `save-${this.view}-${this.asked}`;
  }

  private receive(message: unknown): void {
    const answer = (message ?? {}) as Record<string, unknown>;
    if (answer["type"] !== "saved" || answer["id"] !== this.questionId()) return;
    setText(this.said, full(typeof answer["text"] === "string" ? answer["text"] : ""));
  }
}
