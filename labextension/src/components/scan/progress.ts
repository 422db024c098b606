/** How far a scan is: its state, its bar, its counts, and what can be done with it. */
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

/** Before so many jobs have ended, an estimate of the time left would be a guess. */
const ENDED_FOR_ESTIMATE = 3;

/** The name of a backend for people; plug-ins are called as they call themselves. */
export function backendName({ backend }: Pick<ScanInfo, "backend">): string {
  const known = Object.hasOwn(BACKENDS, backend) ? BACKENDS[backend] : undefined;
  return known ?? clip(backend, 40);
}

/** `running on Slurm`. */
export const stateOnBackend = (scan: ScanInfo): string => `${scan.state} on ${backendName(scan)}`;

/** How many variants are in each state, in the order of the bar; empty states are left out. */
export function countByState(scan: ScanInfo): [State, number][] {
  const known = STATES.reduce((sum, state) => sum + (scan.counts[state] ?? 0), 0);
  // Variants that a sampler has not proposed yet count as new.
  const notProposed = Math.max(0, (scan.total ?? 0) - known);
  const counted = STATES.map((state): [State, number] => {
    const count = scan.counts[state] ?? 0;
    return [state, state === "new" ? count + notProposed : count];
  });
  return counted.filter(([, count]) => count > 0);
}

/** `about 2 h left`; empty where there is no estimate. */
export function timeLeft(scan: ScanInfo): string {
  const { counts, left_s: seconds, state } = scan;
  if (state !== "running" || seconds === null || !Number.isFinite(seconds)) return "";
  const ended = counts.done + counts.failed + counts.lost + counts.cancelled;
  return ended < ENDED_FOR_ESTIMATE ? "" : `about ${roughly(seconds)} left`;
}

/** What can be done with a scan in its state. */
export function actionsFor(scan: ScanInfo): Action[] {
  if (scan.state === "running") return ["pause", "stop"];
  // A scan that has failed too often goes on once its user has mended the cause.
  if (scan.state === "stopped" && scan.stopped_by) return ["resume"];
  return scan.state === "paused" || scan.state === "orphaned" ? ["resume", "stop"] : [];
}

/** A bar whose parts are as wide as the states have variants. */
export function stateBar(scan: ScanInfo): HTMLElement {
  const counts = countByState(scan);
  const label = counts.map(([state, count]) => `${count} ${state}`).join(", ");
  const segments = counts.map(([state, count]) => {
    const segment = h("i", { class: `gg-${state}` });
    segment.style.flexGrow = String(count);
    return segment;
  });
  const wanted = { class: "gg-bar", role: "img", "aria-label": label, title: label };
  return h("div", wanted, ...segments);
}

/** An icon and a number for each state. */
export function stateCounts(scan: ScanInfo): HTMLElement {
  const items = countByState(scan).map(([state, count]) =>
    h("span", { title: state }, icon(state, state), String(count)),
  );
  return h("div", { class: "gg-cnt" }, ...items);
}
