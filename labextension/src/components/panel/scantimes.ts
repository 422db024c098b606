/** Times of scans as the panel writes them, and the order in which scans stand. */
import type { ScanInfo } from "../../wire";
import { timeLeft } from "../scan/progress";
import { t } from "../ui/i18n";
import { clock } from "../ui/times";

const DAY_SECONDS = 86_400;
const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

const midnight = (unix: number): number => new Date(unix * 1000).setHours(0, 0, 0, 0) / 1000;

/** `14:31`, `yesterday`, `Fri`, `12 Mar`, `12 Mar 2024`. */
export function dayText(unix: number, now: number): string {
  // Rounded, since a day with a change of the clocks has 23 or 25 hours.
  const days = Math.round((midnight(now) - midnight(unix)) / DAY_SECONDS);
  const date = new Date(unix * 1000);
  if (days <= 0) return clock(unix);
  if (days === 1) return t("yesterday");
  if (days < 7) return t(WEEKDAYS[date.getDay()] ?? "");
  const day = `${date.getDate()} ${t(MONTHS[date.getMonth()] ?? "")}`;
  const year = date.getFullYear();
  return year === new Date(now * 1000).getFullYear() ? day : `${day} ${year}`;
}

/** Whether nothing happens in a scan any more. */
export const hasEnded = ({ state }: ScanInfo): boolean => state === "done" || state === "stopped";

/** The text at the right under the bar. `asOf` is when the server was last heard, if it is lost. */
export function timeText(scan: ScanInfo, now: number, asOf: number | null): string {
  if (hasEnded(scan)) return dayText(scan.ended ?? scan.created, now);
  if (asOf !== null) return t("as of %1", clock(asOf));
  if (scan.state === "paused") return t("paused");
  if (scan.state === "orphaned") return t("not watched");
  return timeLeft(scan) || t("since %1", dayText(scan.created, now));
}

/** Scans that go on and scans that have ended, the newest first in each. */
export function inOrder(scans: Iterable<ScanInfo>): { active: ScanInfo[]; ended: ScanInfo[] } {
  const all = [...scans];
  const active = all.filter((scan) => !hasEnded(scan)).sort((a, b) => b.created - a.created);
  const last = ({ ended, created }: ScanInfo): number => ended ?? created;
  const ended = all.filter(hasEnded).sort((a, b) => last(b) - last(a));
  return { active, ended };
}
