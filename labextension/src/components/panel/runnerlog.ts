/** The end of what the runner of a scan wrote, at the foot of the panel. */
import type { ScanInfo } from "../../wire";
import { cleanLog } from "../log/clean";
import { button, h, setAttributes, setText } from "../ui/dom";
import { t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { clip } from "../ui/text";

/** So many characters are shown. */
const MOST_CHARS = 64_000;

/** Shows the runner log of one scan at a time. */
export class RunnerLog {
  readonly element = h("section", { class: "gg-runner" });
  private readonly title = h("b", { class: "gg-cut" });
  private readonly text = h("pre", { tabindex: 0 });
  /** What had the focus before the log was opened. */
  private focusedBefore: HTMLElement | null = null;
  /** The id of the scan whose log is open. */
  private shown = "";

  constructor(private readonly read: (id: string) => Promise<string>) {
    const close = button(t("Close the runner log"), [icon("close")], { class: "gg-i" });
    const space = h("span", { class: "gg-sp" });
    this.element.hidden = true;
    this.element.append(h("div", { class: "gg-runner-hd" }, this.title, space, close), this.text);
    close.addEventListener("click", () => this.close());
    this.element.addEventListener("keydown", (event) => event.key === "Escape" && this.close());
  }

  /** Opens the log of a scan; where it cannot be read, the reason stands in its place. */
  async open({ id, name }: ScanInfo): Promise<void> {
    this.focusedBefore = document.activeElement as HTMLElement | null;
    this.shown = id;
    const title = t("Runner log of %1", clip(name, 60));
    setText(this.title, title);
    setAttributes(this.text, { "aria-label": title });
    setText(this.text, t("Asked for the log."));
    this.element.hidden = false;
    this.text.focus({ preventScroll: true });
    const text = await this.read(id).catch((error: unknown) => String((error as Error).message));
    // Meanwhile the user may have closed it, or opened that of another scan.
    if (this.shown !== id) return;
    const clean = cleanLog(text, MOST_CHARS);
    setText(this.text, clean.trim() === "" ? t("Nothing was written yet.") : clean);
    this.text.scrollTop = this.text.scrollHeight;
  }

  private close(): void {
    this.shown = "";
    this.element.hidden = true;
    this.focusedBefore?.focus({ preventScroll: true });
  }
}
