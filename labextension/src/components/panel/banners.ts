/** What stands above the scans when something is wrong: no answer, or a scan that nobody watches. */
import type { ScanInfo } from "../../wire";
import { retrySentence } from "../scan/sentences";
import { button, drawIfChanged, h, near, setText } from "../ui/dom";
import { count, t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { updateList } from "../ui/keyedlist";
import { clip, full } from "../ui/text";
import { clock } from "../ui/times";

export interface BannerEvents {
  tryNow(): void;
  resume(id: string): void;
  runnerLog(id: string): void;
}

export interface Lost {
  received: number;
  retryAt: number | null;
  now: number;
}

const MOST = 3;

function seconds(unix: number): string {
  return `${clock(unix)}:${String(new Date(unix * 1000).getSeconds()).padStart(2, "0")}`;
}

/** What the jobs do meanwhile. */
function meanwhile({ counts }: ScanInfo): string {
  const going = counts.running + counts.queued;
  const kept = t("Nothing that was written is lost.");
  return going
    ? `${count(going, "%1 job goes on where it is.", "%1 jobs go on where they are.")} ${kept}`
    : kept;
}

function orphan(scan: ScanInfo): Node[] {
  const act = (what: string, words: string): HTMLElement =>
    button(`${words}: ${clip(scan.name, 60)}`, [words], {
      "data-do": what,
      "data-id": scan.id,
      title: words,
    });
  const words = scan.note ?? t("Its runner has ended.");
  return [
    icon("orphaned"),
    h(
      "div",
      {},
      h("b", {}, t("%1 is not being watched", clip(scan.name, 60))),
      h("p", { title: full(words) }, clip(words, 400)),
      h("p", { class: "gg-q" }, meanwhile(scan)),
      h("div", { class: "gg-bt0" }, act("resume", t("Resume")), act("log", t("Runner log"))),
    ),
  ];
}

export class Banners {
  readonly element = h("div", { class: "gg-banners" });
  private readonly lost = h("div", { class: "gg-banner" });
  private readonly orphans = h("div");
  private readonly shown = h("span");

  constructor(events: BannerEvents) {
    const again = button(t("Try now"), [t("try now")], { class: "gg-l" });
    const words = h("p", { class: "gg-q" }, this.shown, " ", again);
    const title = h("b", { role: "status" }, t("No answer from the server"));
    this.lost.append(icon("retry"), h("div", {}, title, words));
    this.lost.hidden = true;
    this.element.append(this.lost, this.orphans);
    again.addEventListener("click", () => events.tryNow());
    this.orphans.addEventListener("click", (event) => {
      const { do: act, id = "" } = near(event, "button")?.dataset ?? {};
      if (act === "resume") events.resume(id);
      if (act === "log") events.runnerLog(id);
    });
  }

  update(scans: readonly ScanInfo[], lost: Lost | null): void {
    this.lost.hidden = lost === null;
    if (lost) this.tick(lost);
    const orphans = lost ? [] : scans.filter(({ state }) => state === "orphaned").slice(0, MOST);
    updateList(this.orphans, orphans, {
      key: ({ id }) => id,
      draw: (scan, old) => {
        const element = old ?? h("div", { class: "gg-banner gg-alarm", role: "alert" });
        const { name, note, counts } = scan;
        drawIfChanged(element, JSON.stringify([name, note, counts.running, counts.queued]), () =>
          orphan(scan),
        );
        return element;
      },
    });
  }

  tick({ received, retryAt, now }: Lost): void {
    const asOf = received > 0 ? t("Shown as of %1.", seconds(received)) : "";
    setText(this.shown, [asOf, retrySentence(retryAt, now)].filter(Boolean).join(" "));
  }
}
