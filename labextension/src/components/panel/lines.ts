/** Which lines an opened scan has: failures by cause, what runs, what waits and why, the best that is done, what was stopped. */
import type { Row, ScanInfo, State } from "../../wire";
import { type Cause, causes } from "../scan/causes";
import { byValue, least } from "../scan/ranking";
import { byId } from "../scan/rows";
import { count, t } from "../ui/i18n";
import type { RowsByState } from "./rowsbystate";
import { hasEnded } from "./scantimes";

export type PanelLine =
  | { kind: "title"; key: string; text: string; right: string; retryAll: boolean }
  | { kind: "cause"; key: string; cause: Cause; open: boolean }
  | { kind: "job"; key: string; row: Row; best: boolean }
  | { kind: "more"; key: string; text: string; section: Section | "table" };

export type Section = "failed" | "running" | "queued" | "done" | "cancelled";

const FEW: Record<Exclude<Section, "failed">, number> = {
  running: 4,
  queued: 3,
  done: 3,
  cancelled: 3,
};
/** More than these are read in the table. */
export const MANY = 200;

const TITLES = {
  running: "%1 running",
  queued: "%1 queued",
  done: "%1 done",
  cancelled: "%1 stopped",
};
const MORE = {
  running: "%1 more running",
  queued: "%1 more queued",
  done: "%1 more done",
  cancelled: "%1 more stopped",
};

const rowId = (a: Row, b: Row): number => byId(a.id, b.id);

/** Where nothing goes on any more, each cause says all it has to say. */
function failed(rows: RowsByState, scan: ScanInfo, toggled: ReadonlySet<string>): PanelLine[] {
  const [bad, lost] = [rows.get("failed"), rows.get("lost")];
  if (bad.size + lost.size === 0) return [];
  const told = [bad.size ? t("%1 failed", bad.size) : "", lost.size ? t("%1 lost", lost.size) : ""];
  const ended = hasEnded(scan);
  const text = told.filter(Boolean).join(", ") + (ended ? t(", by cause") : "");
  const found = causes([...bad.values(), ...lost.values()]);
  const retryAll = found.length > 1 || ended;
  return [
    { kind: "title", key: `title failed ${retryAll}`, text, right: "", retryAll },
    ...found.map((cause): PanelLine => {
      const open = ended !== toggled.has(cause.key);
      return { kind: "cause", key: `cause ${cause.key}`, cause, open };
    }),
  ];
}

function jobs(
  section: Exclude<Section, "failed">,
  rows: ReadonlyMap<string, Row>,
  scan: ScanInfo,
  all: boolean,
): PanelLine[] {
  if (rows.size === 0) return [];
  const total = Math.max(rows.size, scan.counts[section]);
  const order = section === "done" ? byValue(scan) : rowId;
  const shown = least(rows.values(), all ? MANY : FEW[section], order);
  const right = section === "queued" ? "" : (scan.objective?.metric ?? "");
  const text = t(TITLES[section], total.toLocaleString("en"));
  return [
    { kind: "title", key: `title ${section}`, text, right, retryAll: false },
    ...shown.map((row): PanelLine => ({
      kind: "job",
      key: `job ${row.id}`,
      row,
      best: row.id === scan.best,
    })),
    ...more(section, total - shown.length, all),
  ];
}

function more(section: Exclude<Section, "failed">, rest: number, all: boolean): PanelLine[] {
  const key = `more ${section}`;
  const number = rest.toLocaleString("en");
  if (rest > 0 && !all) return [{ kind: "more", key, section, text: t(MORE[section], number) }];
  const table = count(rest, "%2 more in the table", "%2 more in the table", number);
  const beyond: PanelLine[] =
    rest > 0 ? [{ kind: "more", key: `${key} table`, section: "table", text: table }] : [];
  return all ? [...beyond, { kind: "more", key, section, text: t("show fewer") }] : [];
}

export interface Opened {
  /** Causes that are not as they are by themselves. */
  toggled: ReadonlySet<string>;
  /** Sections shown with all their jobs. */
  whole: ReadonlySet<Section>;
}

/** Works out only the sections that have changed. */
export class PanelLines {
  private readonly known = new Map<Section, PanelLine[]>();
  private head = "";

  constructor(private readonly rows: RowsByState) {}

  cause(key: string): Cause | null {
    const found = this.known
      .get("failed")
      ?.find((part) => part.kind === "cause" && part.cause.key === key);
    return found?.kind === "cause" ? found.cause : null;
  }

  list(scan: ScanInfo, opened: Opened): PanelLine[] {
    const { rows } = this;
    const { best, objective, counts, state } = scan;
    const head = JSON.stringify([
      best,
      objective,
      state,
      counts,
      [...opened.toggled],
      [...opened.whole],
    ]);
    const anew = head !== this.head;
    this.head = head;
    if (rows.take("failed", "lost") || anew)
      this.known.set("failed", failed(rows, scan, opened.toggled));
    for (const section of ["running", "queued", "done", "cancelled"] as const) {
      if (!rows.take(section satisfies State) && !anew) continue;
      this.known.set(section, jobs(section, rows.get(section), scan, opened.whole.has(section)));
    }
    return [...this.known.values()].flat();
  }
}
