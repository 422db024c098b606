/**
 * Which lines an opened scan has in the panel: failures by cause, what runs, what waits and why,
 * the best that is done (with several objectives the Pareto front), and what was stopped.
 */
import type { Row, ScanInfo } from "../../wire";
import { type Cause, causes } from "../scan/causes";
import { byValue, frontOf, least, objectivesOf } from "../scan/ranking";
import { byId } from "../scan/rows";
import { count, t } from "../ui/i18n";
import type { RowsByState } from "./rowsbystate";
import { hasEnded } from "./scantimes";

/** A section of the lines, called as the state of its jobs; lost jobs are among the failed ones. */
export type Section = "failed" | "running" | "queued" | "done" | "cancelled";

type JobSection = Exclude<Section, "failed">;

/** One line; `key` is unique among the lines of a scan. */
export type PanelLine =
  | { kind: "title"; key: string; text: string; right: string; retryAll: boolean }
  | { kind: "cause"; key: string; cause: Cause; open: boolean }
  | { kind: "job"; key: string; row: Row; mark: "best" | "front" | null }
  /** Leads to more jobs of a section, or to the table. */
  | { kind: "more"; key: string; text: string; section: Section | "table" };

const JOB_SECTIONS: readonly JobSection[] = ["running", "queued", "done", "cancelled"];

/** So many jobs of a section are shown at first. */
const FEW: Record<JobSection, number> = { running: 4, queued: 3, done: 3, cancelled: 3 };
const FEW_OF_FRONT = 8;
/** So many jobs of a section are shown at most; the others are in the table. */
export const MANY = 200;

const TITLES: Record<JobSection, string> = {
  running: "%1 running",
  queued: "%1 queued",
  done: "%1 done",
  cancelled: "%1 stopped",
};
const MORE: Record<JobSection, string> = {
  running: "%1 more running",
  queued: "%1 more queued",
  done: "%1 more done",
  cancelled: "%1 more stopped",
};

function failedLines(rows: RowsByState, scan: ScanInfo, toggled: ReadonlySet<string>): PanelLine[] {
  const failed = rows.get("failed");
  const lost = rows.get("lost");
  if (failed.size + lost.size === 0) return [];
  const failedText = failed.size ? t("%1 failed", failed.size) : "";
  const lostText = lost.size ? t("%1 lost", lost.size) : "";
  const ended = hasEnded(scan);
  const counts = [failedText, lostText].filter(Boolean).join(", ");
  const found = causes([...failed.values(), ...lost.values()]);
  const retryAll = found.length > 1 || ended;
  const text = ended ? counts + t(", by cause") : counts;
  const lines = found.map((cause): PanelLine => {
    // Where nothing goes on any more, each cause is open until the user closes it.
    const open = ended !== toggled.has(cause.key);
    return { kind: "cause", key: `cause ${cause.key}`, cause, open };
  });
  // A title with a button is another element than one without, so it has another key.
  const key = `title failed ${retryAll}`;
  return [{ kind: "title", key, text, right: "", retryAll }, ...lines];
}

/** What a job is marked as: the best one, one of the front, or nothing. */
function markOf({ id }: Row, scan: ScanInfo): "best" | "front" | null {
  if (id === scan.best) return "best";
  return frontOf(scan).has(id) ? "front" : null;
}

/** How many jobs of a section are shown at first: of a front a few more than of other jobs. */
function fewOf(section: JobSection, scan: ScanInfo): number {
  const few = FEW[section];
  return section === "done" ? Math.max(few, Math.min(frontOf(scan).size, FEW_OF_FRONT)) : few;
}

function titleOf(section: JobSection, total: number, scan: ScanInfo): string {
  const number = total.toLocaleString("en");
  const front = frontOf(scan).size;
  if (section !== "done" || front === 0) return t(TITLES[section], number);
  return t("Pareto front: %1 of %2 done", front.toLocaleString("en"), number);
}

function jobLines(
  section: JobSection,
  rows: ReadonlyMap<string, Row>,
  scan: ScanInfo,
  all: boolean,
): PanelLine[] {
  if (rows.size === 0) return [];
  // While rows are still coming, the scan itself knows better how many there are.
  const total = Math.max(rows.size, scan.counts[section]);
  const order = section === "done" ? byValue(scan) : (a: Row, b: Row) => byId(a.id, b.id);
  const shown = least(rows.values(), all ? MANY : fewOf(section, scan), order);
  const metrics = objectivesOf(scan).map(({ metric }) => metric);
  const right = section === "queued" ? "" : metrics.join(", ");
  const text = titleOf(section, total, scan);
  const lines = shown.map((row): PanelLine => {
    return { kind: "job", key: `job ${row.id}`, row, mark: markOf(row, scan) };
  });
  return [
    { kind: "title", key: `title ${section}`, text, right, retryAll: false },
    ...lines,
    ...moreLines(section, total - shown.length, all),
  ];
}

/** The lines below the jobs of a section, of which `hidden` are not shown. */
function moreLines(section: JobSection, hidden: number, all: boolean): PanelLine[] {
  const key = `more ${section}`;
  const number = hidden.toLocaleString("en");
  if (!all) {
    if (hidden <= 0) return [];
    return [{ kind: "more", key, section, text: t(MORE[section], number) }];
  }
  const fewer: PanelLine = { kind: "more", key, section, text: t("show fewer") };
  if (hidden <= 0) return [fewer];
  const text = count(hidden, "%2 more in the table", "%2 more in the table", number);
  return [{ kind: "more", key: `${key} table`, section: "table", text }, fewer];
}

/** What the user opened in a scan. */
export interface OpenedLines {
  /** Causes that the user opened or closed, by their keys. */
  toggled: ReadonlySet<string>;
  /** Sections that are shown with all of their jobs. */
  whole: ReadonlySet<Section>;
}

/** The lines of one scan. Only the sections that have changed are worked out again. */
export class PanelLines {
  private readonly known = new Map<Section, PanelLine[]>();
  private signature = "";

  constructor(private readonly rows: RowsByState) {}

  /** The cause with a key, among the lines that are shown. */
  cause(key: string): Cause | null {
    for (const line of this.known.get("failed") ?? []) {
      if (line.kind === "cause" && line.cause.key === key) return line.cause;
    }
    return null;
  }

  /** All lines in their order. */
  list(scan: ScanInfo, { toggled, whole }: OpenedLines): PanelLine[] {
    const { rows, known } = this;
    const { best, pareto, counts, state } = scan;
    const ranking = [best, pareto, objectivesOf(scan)];
    const signature = JSON.stringify([ranking, state, counts, [...toggled], [...whole]]);
    const allChanged = signature !== this.signature;
    this.signature = signature;
    // takeChanged() comes first, since it has to be called in any case.
    if (rows.takeChanged("failed", "lost") || allChanged)
      known.set("failed", failedLines(rows, scan, toggled));
    for (const section of JOB_SECTIONS) {
      if (!rows.takeChanged(section) && !allChanged) continue;
      known.set(section, jobLines(section, rows.get(section), scan, whole.has(section)));
    }
    return [...known.values()].flat();
  }
}
