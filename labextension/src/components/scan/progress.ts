/** Progress. */
import { type Action, type ScanInfo, type State, STATES } from "../../wire";
import { h } from "../ui/dom";
import { icon } from "../ui/icons";
import { clip } from "../ui/text";
import { roughly } from "../ui/times";

const BACKENDS: Record<string, string> = {
  local: "this machine",
  panda: "PanDA",
  slurm: "Slurm",
  htcondor: "HTCondor",
  condor: "HTCondor",
  dask: "Dask",
  ssh: "SSH",
};

export const backendName = ({ backend }: Pick<ScanInfo, "backend">): string =>
  (Object.hasOwn(BACKENDS, backend) && BACKENDS[backend]) || clip(backend, 40);

export const stateOnBackend = (scan: ScanInfo): string => `${scan.state} on ${backendName(scan)}`;

/** Counts in the order of the bar; variants not yet made count as new. */
export function countByState(scan: ScanInfo): [State, number][] {
  const known = STATES.reduce((sum, state) => sum + (scan.counts[state] ?? 0), 0);
  const rest = Math.max(0, (scan.total ?? 0) - known);
  return STATES.map((state): [State, number] => [
    state,
    (scan.counts[state] ?? 0) + (state === "new" ? rest : 0),
  ]).filter(([, count]) => count > 0);
}

/** Estimates appear after three ended jobs. */
export function timeLeft(scan: ScanInfo): string {
  const { counts, left_s, state } = scan;
  const ended = counts.done + counts.failed + counts.lost + counts.cancelled;
  if (state !== "running" || left_s === null || !Number.isFinite(left_s) || ended < 3) return "";
  return `about ${roughly(left_s)} left`;
}

export function actionsFor(scan: ScanInfo): Action[] {
  if (scan.state === "running") return ["pause", "stop"];
  return scan.state === "paused" || scan.state === "orphaned" ? ["resume", "stop"] : [];
}

export function stateBar(scan: ScanInfo): HTMLElement {
  const counts = countByState(scan);
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

export function stateCounts(scan: ScanInfo): HTMLElement {
  const items = countByState(scan).map(([state, count]) =>
    h("span", { title: state }, icon(state, state), String(count)),
  );
  return h("div", { class: "gg-cnt" }, ...items);
}
