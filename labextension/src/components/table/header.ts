/** The head of the table: name, states, best value, time, and what can be done with the scan. */
import { type Action, STATES, type ScanInfo, type State } from "../../wire";
import { button, h, once, setText } from "../ui/dom";
import { alone, clip, duration, full, gpuHours, roughly, toNumber } from "../ui/format";
import { icon } from "../ui/icons";
import { type Item, Popup } from "../ui/popup";

export interface HeaderEvents {
  command(action: Action): void;
  goTo(id: string): void;
  /** What stands in the menu behind three dots. */
  more(): Item[];
}

const BACKENDS: Record<string, string> = {
  local: "this machine",
  panda: "PanDA",
  slurm: "Slurm",
  htcondor: "HTCondor",
  condor: "HTCondor",
  dask: "Dask",
  ssh: "SSH",
};

export const engineName = ({ backend }: Pick<ScanInfo, "backend">): string =>
  (Object.hasOwn(BACKENDS, backend) && BACKENDS[backend]) || clip(backend, 40);

export const scanWords = (scan: ScanInfo): string => `${scan.state} on ${engineName(scan)}`;

/** Counts in the order of the bar; variants not yet made count as new. */
export function tally(scan: ScanInfo): [State, number][] {
  const known = STATES.reduce((sum, state) => sum + (scan.counts[state] ?? 0), 0);
  const rest = Math.max(0, (scan.total ?? 0) - known);
  return STATES.map((state): [State, number] => [
    state,
    (scan.counts[state] ?? 0) + (state === "new" ? rest : 0),
  ]).filter(([, count]) => count > 0);
}

/** Estimates appear after three ended jobs. */
export function leftWords(scan: ScanInfo): string {
  const { counts, left_s, state } = scan;
  const ended = counts.done + counts.failed + counts.lost + counts.cancelled;
  if (state !== "running" || left_s === null || !Number.isFinite(left_s) || ended < 3) return "";
  return `about ${roughly(left_s)} left`;
}

export function scanActions(scan: ScanInfo): Action[] {
  if (scan.state === "running") return ["pause", "stop"];
  return scan.state === "paused" || scan.state === "orphaned" ? ["resume", "stop"] : [];
}

export function bar(scan: ScanInfo): HTMLElement {
  const counts = tally(scan);
  const label = counts.map(([state, count]) => `${count} ${state}`).join(", ");
  return h(
    "div",
    { class: "gg-bar", role: "img", "aria-label": label, title: label },
    ...counts.map(([state, count]) => {
      const part = h("i", { class: `gg-${state}` });
      part.style.flexGrow = String(count);
      return part;
    }),
  );
}

export function counts(scan: ScanInfo): HTMLElement {
  const items = tally(scan).map(([state, count]) =>
    h("span", { title: state }, icon(state, state), String(count)),
  );
  return h("div", { class: "gg-cnt" }, ...items);
}

function name(scan: ScanInfo): HTMLElement[] {
  const state = scan.state;
  return [
    h("div", {}, h("b", { title: full(scan.notebook) }, clip(scan.name, 60))),
    h("div", { class: "gg-q" }, icon(state), h("span", {}, scanWords(scan))),
  ];
}

function best(scan: ScanInfo): HTMLElement[] {
  const value = toNumber(scan.best_value);
  if (value === null || !scan.best || !scan.objective) return [];
  const link = { class: "gg-l", "data-best": scan.best, title: `Go to ${clip(scan.best, 40)}` };
  return [
    h("div", {}, h("b", { class: "gg-c", title: String(value) }, alone(value))),
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
  return scanActions(scan).map((action) => {
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
  private readonly popup: Popup;

  constructor(events: HeaderEvents) {
    this.popup = new Popup(() => events.more());
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
    once(this.name, JSON.stringify([scan.name, state, scan.backend]), () => name(scan));
    once(this.progress, JSON.stringify([numbers, total]), () => [bar(scan), counts(scan)]);
    once(this.best, JSON.stringify([scan.best, scan.best_value, scan.objective]), () => best(scan));
    this.popup.element.hidden = !more;
    const allowed = JSON.stringify([state, numbers.running, command]);
    once(this.actions, allowed, () => (command ? actions(scan) : []));
    once(this.gpu, String(scan.gpu_s), () =>
      scan.gpu_s > 0
        ? [h("div", {}, gpuHours(scan.gpu_s)), h("div", { class: "gg-q" }, "used")]
        : [],
    );
    this.best.hidden = this.best.childElementCount === 0;
    this.gpu.hidden = this.gpu.childElementCount === 0;
    setText(this.left, command ? leftWords(scan) : "");
    this.tick(scan, now);
  }

  tick(scan: ScanInfo, now: number): void {
    setText(this.time, duration((scan.ended ?? now) - scan.created));
  }
}
