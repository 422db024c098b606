/** The head of the table: the name of the scan, its progress, best value, time and buttons. */
import { type Action, type ScanInfo } from "../../wire";
import { actionsFor, stateBar, stateCounts, stateOnBackend, timeLeft } from "../scan/progress";
import { frontOf, objectivesOf, objectivesText } from "../scan/ranking";
import { warningsOf } from "../scan/sentences";
import { gpuHours, toNumber } from "../scan/values";
import { button, drawIfChanged, h, setText } from "../ui/dom";
import { icon } from "../ui/icons";
import { drawWarnings } from "../ui/warnings";
import { formatAlone } from "../ui/numbers";
import { type MenuItem, PopupMenu } from "../ui/popup";
import { clip, full } from "../ui/text";
import { duration } from "../ui/times";

/** What a user does in the head; the table answers. */
export interface HeaderEvents {
  command(action: Action): void;
  /** Goes to the row of a variant. */
  goTo(id: string): void;
  /** The entries of the menu behind the three dots. */
  more(): MenuItem[];
}

function drawName(scan: ScanInfo): HTMLElement[] {
  const state = scan.state;
  return [
    h("div", {}, h("b", { title: full(scan.notebook) }, clip(scan.name, 60))),
    h("div", { class: "gg-q" }, icon(state), h("span", {}, stateOnBackend(scan))),
  ];
}

/** `front of 5`, which leads to the front, and what is maximized and minimized. */
function drawFront(scan: ScanInfo, front: ReadonlySet<string>): HTMLElement[] {
  const [first = ""] = front;
  const about = clip(objectivesText(scan), 200);
  const wanted = { class: "gg-l", "data-best": first, title: "Go to the Pareto front" };
  const text = `front of ${front.size}`;
  const link = button(`${text}: go to the Pareto front`, [text], wanted);
  return [
    h("div", {}, h("b", {}, link)),
    h("div", { class: "gg-q gg-goals", title: `Pareto front: ${about}` }, about),
  ];
}

function drawBest(scan: ScanInfo): HTMLElement[] {
  const front = frontOf(scan);
  if (front.size > 0) return drawFront(scan, front);
  const value = toNumber(scan.best_value);
  if (value === null || !scan.best || !scan.objective) return [];
  const id = clip(scan.best, 40);
  const wanted = { class: "gg-l", "data-best": scan.best, title: `Go to ${id}` };
  const link = button(`Go to ${id}`, [id], wanted);
  return [
    h("div", {}, h("b", { class: "gg-c", title: String(value) }, formatAlone(value))),
    h("div", { class: "gg-q" }, `best ${clip(scan.objective.metric, 40)}, `, link),
  ];
}

const TITLES: Record<string, [label: string, title: string]> = {
  pause: ["Pause the scan", "Pause the scan: start nothing new"],
  resume: ["Resume the scan", "Resume the scan"],
  stop: ["Stop the scan", "Stop the scan"],
};

function drawActions(scan: ScanInfo): HTMLElement[] {
  return actionsFor(scan).map((action) => {
    const [label, title] = TITLES[action] ?? [action, action];
    const ends = action === "stop" && scan.counts.running > 0;
    const running = ends ? `: ends ${scan.counts.running} running` : "";
    const wanted = { class: "gg-i", "data-act": action, title: title + running };
    return button(label, [icon(action)], wanted);
  });
}

function drawGpuTime(scan: ScanInfo): HTMLElement[] {
  if (scan.gpu_s <= 0) return [];
  return [h("div", {}, gpuHours(scan.gpu_s)), h("div", { class: "gg-q" }, "used")];
}

/** The head. Each of its parts is drawn again only when what it shows has changed. */
export class Header {
  readonly element = h("div", { class: "gg-hd" });
  private readonly name = h("div", { class: "gg-nm" });
  private readonly progress = h("div", { class: "gg-pr" });
  private readonly best = h("div", { class: "gg-kv" });
  private readonly time = h("div", {});
  private readonly left = h("div", { class: "gg-q" });
  private readonly gpu = h("div", { class: "gg-kv gg-gpu" });
  private readonly warnings = h("div", { class: "gg-warnings", role: "status" });
  private readonly actions = h("span", { class: "gg-acts" });
  private readonly popup: PopupMenu;

  constructor(events: HeaderEvents) {
    this.popup = new PopupMenu(() => events.more());
    const time = h("div", { class: "gg-kv" }, this.time, this.left);
    const end = h("div", { class: "gg-ac" }, this.actions, this.popup.element);
    this.element.append(this.name, this.progress, this.best, time, this.gpu, end, this.warnings);
    this.element.addEventListener("click", (event) => {
      const target = (event.target as Element).closest<HTMLElement>("[data-act],[data-best]");
      const { act, best: id } = target?.dataset ?? {};
      if (id) events.goTo(id);
      if (act) events.command(act as Action);
    });
  }

  /** `command` says that the scan takes commands, `more` that its menu has entries. */
  update(scan: ScanInfo, now: number, command: boolean, more: boolean): void {
    const { state, counts, total } = scan;
    const title = JSON.stringify([scan.name, state, scan.backend]);
    drawIfChanged(this.name, title, () => drawName(scan));
    const bar = (): Node[] => [stateBar(scan), stateCounts(scan)];
    drawIfChanged(this.progress, JSON.stringify([counts, total]), bar);
    const best = JSON.stringify([scan.best, scan.best_value, objectivesOf(scan), scan.pareto]);
    drawIfChanged(this.best, best, () => drawBest(scan));
    this.popup.element.hidden = !more;
    drawWarnings(this.warnings, warningsOf(scan));
    // The tooltip of the stop button counts the running jobs.
    const allowed = JSON.stringify([state, counts.running, command]);
    drawIfChanged(this.actions, allowed, () => (command ? drawActions(scan) : []));
    drawIfChanged(this.gpu, String(scan.gpu_s), () => drawGpuTime(scan));
    this.best.hidden = this.best.childElementCount === 0;
    this.gpu.hidden = this.gpu.childElementCount === 0;
    setText(this.left, command ? timeLeft(scan) : "");
    this.tick(scan, now);
  }

  /** Draws the time, which goes on by itself. */
  tick(scan: ScanInfo, now: number): void {
    setText(this.time, duration((scan.ended ?? now) - scan.created));
  }
}
