/** The head of the table: name, states, best value, time, and what can be done with the scan. */
import { type Action, type ScanInfo } from "../../wire";
import { actionsFor, stateBar, stateCounts, stateOnBackend, timeLeft } from "../scan/progress";
import { gpuHours, toNumber } from "../scan/values";
import { button, drawIfChanged, h, setText } from "../ui/dom";
import { icon } from "../ui/icons";
import { formatAlone } from "../ui/numbers";
import { type MenuItem, PopupMenu } from "../ui/popup";
import { clip, full } from "../ui/text";
import { duration } from "../ui/times";

export interface HeaderEvents {
  command(action: Action): void;
  goTo(id: string): void;
  /** What stands in the menu behind three dots. */
  more(): MenuItem[];
}

function name(scan: ScanInfo): HTMLElement[] {
  const state = scan.state;
  return [
    h("div", {}, h("b", { title: full(scan.notebook) }, clip(scan.name, 60))),
    h("div", { class: "gg-q" }, icon(state), h("span", {}, stateOnBackend(scan))),
  ];
}

function best(scan: ScanInfo): HTMLElement[] {
  const value = toNumber(scan.best_value);
  if (value === null || !scan.best || !scan.objective) return [];
  const link = { class: "gg-l", "data-best": scan.best, title: `Go to ${clip(scan.best, 40)}` };
  return [
    h("div", {}, h("b", { class: "gg-c", title: String(value) }, formatAlone(value))),
    h(
      "div",
      { class: "gg-q" },
      `best ${clip(scan.objective.metric, 40)}, `,
      button(`Go to ${clip(scan.best, 40)}`, [clip(scan.best, 40)], link),
    ),
  ];
}

const TITLES: Record<string, [label: string, title: string]> = {
  pause: ["Pause the scan", "Pause the scan: start nothing new"],
  resume: ["Resume the scan", "Resume the scan"],
  stop: ["Stop the scan", "Stop the scan"],
};

function actions(scan: ScanInfo): HTMLElement[] {
  return actionsFor(scan).map((action) => {
    const [label, title] = TITLES[action] ?? [action, action];
    const running =
      action === "stop" && scan.counts.running ? `: ends ${scan.counts.running} running` : "";
    return button(label, [icon(action)], {
      class: "gg-i",
      "data-act": action,
      title: title + running,
    });
  });
}

export class Header {
  readonly element = h("div", { class: "gg-hd" });
  private readonly name = h("div", { class: "gg-nm" });
  private readonly progress = h("div", { class: "gg-pr" });
  private readonly best = h("div", { class: "gg-kv" });
  private readonly time = h("div", {});
  private readonly left = h("div", { class: "gg-q" });
  private readonly gpu = h("div", { class: "gg-kv gg-gpu" });
  private readonly actions = h("span", { class: "gg-acts" });
  private readonly popup: PopupMenu;

  constructor(events: HeaderEvents) {
    this.popup = new PopupMenu(() => events.more());
    const time = h("div", { class: "gg-kv" }, this.time, this.left);
    const end = h("div", { class: "gg-ac" }, this.actions, this.popup.element);
    this.element.append(this.name, this.progress, this.best, time, this.gpu, end);
    this.element.addEventListener("click", (event) => {
      const target = (event.target as Element).closest<HTMLElement>("[data-act],[data-best]");
      const { act, best: id } = target?.dataset ?? {};
      if (id) events.goTo(id);
      if (act) events.command(act as Action);
    });
  }

  /** `command`: somebody is there to command. */
  update(scan: ScanInfo, now: number, command: boolean, more: boolean): void {
    const { state, counts: numbers, total } = scan;
    drawIfChanged(this.name, JSON.stringify([scan.name, state, scan.backend]), () => name(scan));
    drawIfChanged(this.progress, JSON.stringify([numbers, total]), () => [
      stateBar(scan),
      stateCounts(scan),
    ]);
    drawIfChanged(this.best, JSON.stringify([scan.best, scan.best_value, scan.objective]), () =>
      best(scan),
    );
    this.popup.element.hidden = !more;
    const allowed = JSON.stringify([state, numbers.running, command]);
    drawIfChanged(this.actions, allowed, () => (command ? actions(scan) : []));
    drawIfChanged(this.gpu, String(scan.gpu_s), () =>
      scan.gpu_s > 0
        ? [h("div", {}, gpuHours(scan.gpu_s)), h("div", { class: "gg-q" }, "used")]
        : [],
    );
    this.best.hidden = this.best.childElementCount === 0;
    this.gpu.hidden = this.gpu.childElementCount === 0;
    setText(this.left, command ? timeLeft(scan) : "");
    this.tick(scan, now);
  }

  tick(scan: ScanInfo, now: number): void {
    setText(this.time, duration((scan.ended ?? now) - scan.created));
  }
}
