/** One scan in the panel's tree: its head, and opened what it shows of its jobs. */
import type { Action, ScanInfo } from "../../wire";
import { stateBar, stateCounts } from "../scan/progress";
import { formatValue, toNumber } from "../scan/values";
import { drawIfChanged, h, setAttributes } from "../ui/dom";
import { t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { clip, full } from "../ui/text";
import { type BodyEvents, ScanBody } from "./scanbody";
import { timeText } from "./scantimes";
import type { ScanSource } from "./source";

/** Said with a shape; what runs or has ended well says enough by its bar. */
const SHAPED = new Set(["paused", "stopped", "orphaned"]);

function value(scan: ScanInfo): HTMLElement | null {
  const best = toNumber(scan.best_value);
  if (best === null) return null;
  const title = `${t("best")} ${clip(scan.objective?.metric ?? "", 40)}: ${best}`;
  return h("span", { class: "gg-c", title }, formatValue(best));
}

export class ScanItem {
  readonly element = h("div", { class: "gg-sc", role: "none" });
  private readonly head = h("div", {
    class: "gg-sc-hd",
    role: "treeitem",
    tabindex: -1,
    "data-stop": "",
  });
  private body: ScanBody | null = null;
  private opened = false;
  private scan: ScanInfo;

  constructor(
    scan: ScanInfo,
    private readonly source: ScanSource,
    private readonly events: BodyEvents,
  ) {
    this.scan = scan;
    this.element.append(this.head);
    this.head.addEventListener("click", () => this.toggle());
  }

  dispose(): void {
    this.forget();
    this.element.remove();
  }

  get isOpen(): boolean {
    return this.opened;
  }

  toggle(on = !this.opened): void {
    this.opened = on;
    if (on) this.need().element.hidden = false;
    else this.forget();
    this.events.changed();
  }

  command(action: Action): void {
    this.need().command(action);
  }

  /** What is asked of a closed scan needs its store too; it opens then. */
  private need(): ScanBody {
    if (this.body) return this.body;
    this.opened = true;
    this.body = new ScanBody(this.source.open(this.scan.id), this.events);
    this.element.append(this.body.element);
    return this.body;
  }

  private forget(): void {
    if (!this.body) return;
    this.body.dispose();
    this.body.element.remove();
    this.body = null;
    this.source.release(this.scan.id);
  }

  draw(scan: ScanInfo, now: number, asOf: number | null): void {
    const own = this.body?.store.scan;
    this.scan = own && own.now > scan.now ? own : scan;
    this.drawHead(this.scan, timeText(this.scan, now, asOf));
    this.body?.draw(this.scan);
  }

  private drawHead(scan: ScanInfo, when: string): void {
    const { name, state, counts: numbers, total, best_value: best } = scan;
    setAttributes(this.head, {
      "data-id": scan.id,
      "data-name": name,
      "data-state": state,
      "aria-expanded": String(this.opened),
      "aria-level": 1,
    });
    this.element.classList.toggle("gg-opened", this.opened);
    drawIfChanged(
      this.head,
      JSON.stringify([name, state, numbers, total, best, when, this.opened]),
      () => [
        h(
          "div",
          { class: "gg-sc-name" },
          h("span", { class: "gg-chev" }, icon(this.opened ? "open" : "closed")),
          h("b", { class: "gg-cut", title: full(name) }, clip(name, 60)),
          h("span", { class: "gg-sp" }),
          value(scan),
        ),
        stateBar(scan),
        h(
          "div",
          { class: "gg-sc-when" },
          stateCounts(scan),
          h("span", { class: "gg-sp" }),
          h("span", { class: "gg-q" }, SHAPED.has(state) ? icon(state) : null, when),
        ),
      ],
    );
  }
}
