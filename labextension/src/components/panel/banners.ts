/** What stands above the scans when the server is lost, or a scan has lost its runner. */
import type { LeftOutScan, ScanInfo } from "../../wire";
import { RELOAD, retrySentence } from "../scan/sentences";
import { button, drawIfChanged, h, near, setText } from "../ui/dom";
import { count, t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { updateList } from "../ui/keyedlist";
import { clip, full } from "../ui/text";
import { clock } from "../ui/times";
import { drawWarnings } from "../ui/warnings";

/** What a user does in the banners; the panel answers. */
export interface BannerEvents {
  /** Tries to connect now. */
  tryNow(): void;
  /** Resumes a scan, which starts its runner again. */
  resume(id: string): void;
  runnerLog(id: string): void;
}

/** A lost connection. Times are Unix seconds by the clock of this machine. */
export interface LostConnection {
  /** When the server was last heard; 0 for never. */
  received: number;
  retryAt: number | null;
  now: number;
  /** The server does not know this page any more. */
  refused: boolean;
}

/** So many scans without a runner get a banner. */
const MOST_ORPHANS = 3;

function clockWithSeconds(unix: number): string {
  return `${clock(unix)}:${String(new Date(unix * 1000).getSeconds()).padStart(2, "0")}`;
}

/** What the jobs of a scan without a runner do meanwhile. */
function meanwhile({ counts }: ScanInfo): string {
  const alive = counts.running + counts.queued;
  const kept = t("Nothing that was written is lost.");
  if (alive === 0) return kept;
  return `${count(alive, "%1 job goes on where it is.", "%1 jobs go on where they are.")} ${kept}`;
}

function orphanContent(scan: ScanInfo): Node[] {
  const name = clip(scan.name, 60);
  const act = (what: string, text: string): HTMLElement =>
    button(`${text}: ${name}`, [text], { "data-do": what, "data-id": scan.id, title: text });
  const note = scan.note ?? t("Its runner has ended.");
  const buttons = [act("log", t("Runner log"))];
  if (!scan.foreign) buttons.unshift(act("resume", t("Resume")));
  const content = h("div", {}, h("b", {}, t("%1 is not being watched", name)));
  content.append(
    h("p", { title: full(note) }, clip(note, 400)),
    h("p", { class: "gg-q" }, meanwhile(scan)),
    h("div", { class: "gg-bt0" }, ...buttons),
  );
  return [icon("orphaned"), content];
}

/** The banners. Without a connection there is only one, since nothing is known of the scans. */
export class Banners {
  readonly element = h("div", { class: "gg-banners" });
  private readonly lost = h("div", { class: "gg-banner" });
  private readonly orphans = h("div");
  private readonly elsewhere = h("div", { class: "gg-warnings", role: "status" });
  private readonly leftOut = h("div", { class: "gg-warnings", role: "status" });
  private readonly title = h("b", { role: "status" });
  private readonly lostText = h("span");

  constructor(events: BannerEvents) {
    const tryNow = button(t("Try now"), [t("try now")], { class: "gg-l" });
    const text = h("p", { class: "gg-q" }, this.lostText, " ", tryNow);
    this.lost.append(icon("retry"), h("div", {}, this.title, text));
    this.lost.hidden = true;
    this.element.append(this.lost, this.elsewhere, this.leftOut, this.orphans);
    this.leftOut.hidden = true;
    tryNow.addEventListener("click", () => events.tryNow());
    this.orphans.addEventListener("click", (event) => {
      const { do: act, id = "" } = near(event, "button")?.dataset ?? {};
      if (act === "resume") events.resume(id);
      if (act === "log") events.runnerLog(id);
    });
  }

  update(
    scans: readonly ScanInfo[],
    lost: LostConnection | null,
    elsewhere: readonly string[] = [],
  ): void {
    drawWarnings(this.elsewhere, elsewhere.slice(-MOST_ORPHANS));
    this.lost.hidden = lost === null;
    if (lost) this.tick(lost);
    // Without a connection nobody could resume them.
    const orphans = lost ? [] : scans.filter(({ state }) => state === "orphaned");
    updateList(this.orphans, orphans.slice(0, MOST_ORPHANS), {
      key: ({ id }) => id,
      draw: (scan, old) => {
        const element = old ?? h("div", { class: "gg-banner gg-alarm", role: "alert" });
        const { name, note, counts } = scan;
        const signature = JSON.stringify([name, note, counts.running, counts.queued]);
        drawIfChanged(element, signature, () => orphanContent(scan));
        return element;
      },
    });
  }

  /** Says which folders cannot be shown as scans: a few of them, then a count. */
  leaveOut(found: readonly LeftOutScan[]): void {
    const texts = found.slice(0, MOST_ORPHANS).map(({ folder, why }) => {
      const name = folder.split("/").at(-1) ?? "";
      return t("%1 is left out: %2", clip(name, 60), full(why));
    });
    const more = found.length - texts.length;
    if (more > 0) texts.push(t("%1 more are left out.", String(more)));
    drawWarnings(this.leftOut, texts);
  }

  /** Draws the seconds until the next try, which go on by themselves. */
  tick({ received, retryAt, now, refused }: LostConnection): void {
    const known = t("No answer from the server");
    setText(this.title, refused ? t("Reload the page") : known);
    const asOf = received > 0 ? t("Shown as of %1.", clockWithSeconds(received)) : "";
    const next = refused ? t(RELOAD) : retrySentence(retryAt, now);
    setText(this.lostText, [asOf, next].filter(Boolean).join(" "));
  }
}
