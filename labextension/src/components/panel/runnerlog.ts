/** The end of what a scan's runner wrote, at the foot of the panel. */
import type { ScanInfo } from "../../wire";
import { cleanLog } from "../log/clean";
import { button, h, setText } from "../ui/dom";
import { t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { clip } from "../ui/text";

export class RunnerLog {
  readonly element = h("section", { class: "gg-runner" });
  private readonly title = h("b", { class: "gg-cut" });
  private readonly text = h("pre", { tabindex: 0 });
  private back: HTMLElement | null = null;
  private shown = "";

  constructor(private readonly read: (id: string) => Promise<string>) {
    const close = button(t("Close the runner log"), [icon("close")], { class: "gg-i" });
    this.element.hidden = true;
    this.element.append(
      h("div", { class: "gg-runner-hd" }, this.title, h("span", { class: "gg-sp" }), close),
      this.text,
    );
    close.addEventListener("click", () => this.close());
    this.element.addEventListener("keydown", (event) => event.key === "Escape" && this.close());
  }

  async open({ id, name }: ScanInfo): Promise<void> {
    this.back = document.activeElement as HTMLElement | null;
    this.shown = id;
    setText(this.title, t("Runner log of %1", clip(name, 60)));
    this.text.setAttribute("aria-label", t("Runner log of %1", clip(name, 60)));
    setText(this.text, t("Asked for the log."));
    this.element.hidden = false;
    this.text.focus({ preventScroll: true });
    const text = await this.read(id).catch((error: unknown) => String((error as Error).message));
    if (this.shown !== id) return;
    const clean = cleanLog(text, 64_000);
    setText(this.text, clean.trim() === "" ? t("Nothing was written yet.") : clean);
    this.text.scrollTop = this.text.scrollHeight;
  }

  private close(): void {
    this.shown = "";
    this.element.hidden = true;
    this.back?.focus({ preventScroll: true });
  }
}
