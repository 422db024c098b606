/** One scan in the tree of the panel: its head, and while it is open its jobs. */
import type { Action, ScanInfo } from "../../wire";
import { stateBar, stateCounts } from "../scan/progress";
import { frontOf, objectivesText } from "../scan/ranking";
import { formatValue, toNumber } from "../scan/values";
import { drawIfChanged, h, setAttributes } from "../ui/dom";
import { t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { clip, full } from "../ui/text";
import { type BodyEvents, ScanBody } from "./scanbody";
import { timeText } from "./scantimes";
import type { ScanSource } from "./source";

/** States that get an icon. A scan that runs or has ended well says enough by its bar. */
const STATES_WITH_ICON = new Set(["paused", "stopped", "orphaned"]);

/** The best value so far, or how many variants are on the Pareto front. */
function bestValue(scan: ScanInfo): HTMLElement | null {
  const { size } = frontOf(scan);
  if (size > 0) {
    const about = `${t("Pareto front")}: ${clip(objectivesText(scan), 200)}`;
    return h("span", { class: "gg-q", title: about }, t("front of %1", size));
  }
  const best = toNumber(scan.best_value);
  if (best === null) return null;
  const title = `${t("best")} ${clip(scan.objective?.metric ?? "", 40)}: ${best}`;
  return h("span", { class: "gg-c", title }, formatValue(best));
}

/** A scan in the tree. It opens the store of the scan only when the user opens it. */
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
    this.closeBody();
    this.element.remove();
  }

  get isOpen(): boolean {
    return this.opened;
  }

  /** Opens or closes the scan. */
  toggle(on = !this.opened): void {
    this.opened = on;
    if (on) this.openBody().element.hidden = false;
    else this.closeBody();
    this.events.changed();
  }

  /** Does something with the whole scan. */
  command(action: Action): void {
    this.openBody().command(action);
  }

  /** Opens the body, if it is not open. A command needs a store, so it opens the scan too. */
  private openBody(): ScanBody {
    if (this.body) return this.body;
    this.opened = true;
    this.body = new ScanBody(this.source.open(this.scan.id), this.events);
    this.element.append(this.body.element);
    return this.body;
  }

  private closeBody(): void {
    if (!this.body) return;
    this.body.dispose();
    this.body.element.remove();
    this.body = null;
    this.source.release(this.scan.id);
  }

  /** Draws the scan. `asOf` is when the server was last heard, if it is lost. */
  draw(scan: ScanInfo, now: number, asOf: number | null): void {
    // The store of an open scan may have heard of it later than the list of all scans.
    const store = this.body?.store;
    const own = store?.scan;
    this.scan = own && own.now >= scan.now ? own : (store?.ranked(scan) ?? scan);
    this.drawHead(this.scan, timeText(this.scan, now, asOf));
    this.body?.draw(this.scan);
  }

  private drawHead(scan: ScanInfo, time: string): void {
    const { name, state, counts, total, best_value: best, objective } = scan;
    const front = [frontOf(scan).size, objectivesText(scan)];
    setAttributes(this.head, {
      "data-id": scan.id,
      "data-name": name,
      "data-state": state,
      "aria-expanded": String(this.opened),
      "aria-level": 1,
    });
    this.element.classList.toggle("gg-opened", this.opened);
    const about = [name, state, counts, total, best, objective, front, time, this.opened];
    const signature = JSON.stringify(about);
    drawIfChanged(this.head, signature, () => headNodes(scan, time, this.opened));
  }
}

function headNodes(scan: ScanInfo, time: string, opened: boolean): Node[] {
  const chevron = h("span", { class: "gg-chev" }, icon(opened ? "open" : "closed"));
  const name = h("b", { class: "gg-cut", title: full(scan.name) }, clip(scan.name, 60));
  const space = (): HTMLElement => h("span", { class: "gg-sp" });
  const state = STATES_WITH_ICON.has(scan.state) ? icon(scan.state) : null;
  const right = h("span", { class: "gg-q" }, state, time);
  return [
    h("div", { class: "gg-sc-name" }, chevron, name, space(), bestValue(scan)),
    stateBar(scan),
    h("div", { class: "gg-sc-when" }, stateCounts(scan), space(), right),
  ];
}
