/** One variant: its head, parameters, curves, resources, attempts and log. */
import type { Job, Row, ScanInfo } from "../../wire";
import { LogView } from "../log/logview";
import { Commands } from "../scan/commands";
import { type Curves, type MakeCurves } from "../scan/curves";
import type { Host } from "../scan/host";
import { rankOf } from "../scan/ranking";
import { canStop } from "../scan/rows";
import { MISSING_SCAN, retrySentence } from "../scan/sentences";
import type { ScanStore, StoreChange } from "../scan/store";
import { paramText } from "../scan/values";
import { copyText } from "../ui/clipboard";
import { button, drawIfChanged, h, near, setText } from "../ui/dom";
import { t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { keepKeys } from "../ui/keys";
import { type MenuItem, PopupMenu } from "../ui/popup";
import { QuestionBar } from "../ui/question";
import { DrawTimer } from "../ui/redraw";
import { attemptLines } from "./attempts";
import { figures, heading, reason, type ShownJob } from "./jobhead";
import { parameterTable } from "./paramtable";
import { charts, usageNote } from "./resources";

/** Milliseconds between two questions about the job. */
const PAUSE = 2000;

function section(name: string, note: HTMLElement, ...parts: HTMLElement[]): HTMLElement {
  const title = h("h3", {}, name, note);
  return h("section", { class: "gg-block", "aria-label": name }, title, ...parts);
}

const noted = (): HTMLElement => h("span", { class: "gg-q" });

export class JobView {
  readonly element = h("article", {
    class: "gridgpu gridgpu-job",
  });
  private readonly ask = new QuestionBar();
  private readonly heading = h("div", { class: "gg-job-hd" });
  private readonly buttons = h("span", { class: "gg-acts" });
  private readonly popup = new PopupMenu(() => this.items());
  private readonly said = h("div", { class: "gg-job-said gg-q", role: "status" });
  private readonly reason = h("div", { class: "gg-reason" });
  private readonly facts = h("div", { class: "gg-facts" });
  private readonly table = h("div", { class: "gg-params" });
  private readonly areas = h("div", { class: "gg-areas" });
  private readonly usage = noted();
  private readonly tries = h("ol", { class: "gg-tries" });
  private readonly resources: HTMLElement;
  private readonly attempts: HTMLElement;
  private readonly curves: Curves;
  private readonly log: LogView;
  private readonly commands: Commands;
  private readonly frame = new DrawTimer(() => this.draw());
  private readonly undo: (() => void)[] = [];
  private job: Job | null = null;
  private asked: { at: number; row: Row } | null = null;
  private words = "";

  constructor(
    private readonly store: ScanStore,
    readonly variant: string,
    makeCurves: MakeCurves,
    private readonly host: Host = {},
  ) {
    this.commands = new Commands(store, this.ask, (text) => this.say(text));
    this.curves = makeCurves(store, variant);
    this.log = new LogView(store, variant, h("h3", {}, t("Log")));
    const hatched = h("span", { class: "gg-q" }, t("hatched: in the queue"));
    this.resources = section(t("Resources"), this.usage, this.areas);
    this.attempts = section(t("Attempts"), hatched, this.tries);
    keepKeys(this.element);
    this.assemble();
    this.listen();
    this.draw();
  }

  dispose(): void {
    for (const undo of this.undo.splice(0)) undo();
    this.frame.cancel();
    this.commands.dispose();
    this.curves.dispose();
    this.log.dispose();
    this.element.remove();
  }

  /** Draws what has come since the last frame. */
  flush(): void {
    this.frame.flush();
  }

  private assemble(): void {
    const space = h("span", { class: "gg-sp" });
    const top = h(
      "div",
      { class: "gg-job-top" },
      this.heading,
      space,
      this.buttons,
      this.popup.element,
    );
    const head = h("header", {}, top, this.ask.element, this.said, this.reason, this.facts);
    const table = section(t("Parameters"), noted(), this.table);
    const curves = h("div", { class: "gg-block" }, this.curves.element);
    const log = h("div", { class: "gg-block" }, this.log.element);
    const pair = h("div", { class: "gg-pair" }, table, curves);
    this.element.append(head, pair, this.resources, this.attempts, log);
  }

  private listen(): void {
    const timer = setInterval(() => this.tick(), 1000);
    this.undo.push(
      () => clearInterval(timer),
      this.store.on((change) => this.changed(change)),
    );
    this.element.addEventListener("click", (event) => this.click(event));
  }

  private changed(change: StoreChange): void {
    if (change.type === "said") {
      this.commands.answered();
      this.say(change.text);
    } else if (change.type === "job" && change.variant === this.variant) this.job = change;
    else if (change.type === "link") this.asked = null;
    if (change.type !== "log") this.frame.request();
  }

  private say(text: string): void {
    this.words = text;
    setText(this.said, text.slice(0, 400));
    this.said.hidden = text === "";
  }

  private get row(): Row | undefined {
    return this.store.rows.get(this.variant);
  }

  private tick(): void {
    const { scan, row } = this;
    if (this.store.closed) return this.connection();
    if (!scan || !row || row.state === "running" || row.state === "queued") return this.draw();
    this.inquire(row);
  }

  private get scan(): ScanInfo | null {
    return this.store.scan;
  }

  private connection(): void {
    const { closed, missing, peer, retryAt } = this.store;
    this.element.classList.toggle("gg-stale", closed);
    const lost = `${t("No answer from the %1.", peer)} ${retrySentence(retryAt, this.store.wall())}`;
    const words = closed ? lost : missing ? t(MISSING_SCAN) : this.words;
    setText(this.said, words.slice(0, 400));
    this.said.hidden = words === "";
  }

  /** Asks what the job is now, when its row says that something has changed. */
  private inquire(row: Row): void {
    if (this.store.closed || this.store.missing) return;
    const now = performance.now();
    if (this.asked && (this.asked.row === row || now - this.asked.at < PAUSE)) return;
    this.asked = { at: now, row };
    this.store.send({ type: "job", variant: row.id });
  }

  private draw(): void {
    const { scan, row } = this;
    this.connection();
    this.element.classList.toggle("gg-none", !scan || !row);
    if (!scan || !row) return this.waits();
    this.inquire(row);
    const now = this.store.now();
    const rank = rankOf(row, this.store.rows.values(), scan);
    this.drawHead({ scan, row, job: this.job, now, rank });
    this.drawParameters(scan, row);
    this.curves.update();
    this.drawUsage();
    this.drawAttempts(now);
  }

  private waits(): void {
    const known = this.scan !== null && !this.store.closed;
    const words = known ? t("The scan has no variant %1.", this.variant) : t("Waits for the scan.");
    if (!this.store.missing && !this.store.closed) setText(this.said, words);
    this.said.hidden = false;
  }

  private drawHead(shown: ShownJob): void {
    const { row, scan } = shown;
    const opens = !!this.host.openScan;
    this.element.setAttribute("aria-label", t("Job %1", row.id));
    drawIfChanged(this.heading, JSON.stringify([row.id, row.state, row.attempts, scan.name]), () =>
      heading(shown, opens),
    );
    drawIfChanged(this.reason, JSON.stringify([row.message, row.reason, row.state]), () =>
      reason(shown),
    );
    this.reason.hidden = this.reason.childElementCount === 0;
    const lines = figures(shown);
    drawIfChanged(this.facts, lines.map((line) => line.textContent).join("\n"), () => lines);
    this.drawButtons(row);
  }

  private drawButtons(row: Row): void {
    const stop = canStop(row);
    const notebook = this.host.openNotebook
      ? (this.job?.has_notebook ?? row.notebook !== null)
      : null;
    const command = !this.store.missing;
    drawIfChanged(this.buttons, JSON.stringify([stop, notebook, command]), () => [
      notebook === null ? null : notebookButton(stop, notebook),
      command && stop ? button(t("Stop"), [icon("stop"), t("Stop")], { "data-do": "stop" }) : null,
      command && !stop
        ? button(t("Run again"), [icon("retry"), t("Run again")], { "data-do": "retry" })
        : null,
    ]);
  }

  private drawParameters(scan: ScanInfo, row: Row): void {
    const signature = JSON.stringify([scan.params, row.params, this.job?.defaults]);
    const { statistics: known } = this.store;
    drawIfChanged(this.table, signature, () => [parameterTable(scan.params, row, this.job, known)]);
  }

  private drawUsage(): void {
    const metrics = this.curves.metricsOf(this.variant);
    if (!metrics) return void (this.resources.hidden = true);
    const { usage, attempt } = metrics;
    const signature = JSON.stringify([attempt, usage.times, this.job?.limits]);
    drawIfChanged(this.areas, signature, () => charts(metrics, this.job));
    this.resources.hidden = this.areas.childElementCount === 0;
    setText(this.usage, usageNote(metrics));
  }

  private drawAttempts(now: number): void {
    const { job } = this;
    const live = job?.attempts.some((one) => one.ended === null);
    drawIfChanged(this.tries, JSON.stringify([job?.attempts, live && Math.round(now)]), () =>
      job ? attemptLines(job, now) : [],
    );
    this.attempts.hidden = this.tries.childElementCount === 0;
  }

  private items(): MenuItem[] {
    const { scan, row, host } = this;
    if (!scan || !row) return [];
    const open = host.openScan;
    const lines = Object.entries(row.params).map(
      ([name, value]) => `${name} = ${paramText(value)}`,
    );
    return [
      ...(open ? [{ text: t("Open the scan"), act: () => open.call(host, scan) }] : []),
      { text: t("Copy parameters"), act: () => void this.copy(lines.join("\n")) },
    ];
  }

  private async copy(text: string): Promise<void> {
    this.say((await copyText(text)) ? t("Copied.") : t("The browser did not let this page copy."));
  }

  private click(event: Event): void {
    const act = near(event, "[data-do]")?.dataset["do"];
    const { scan, row } = this;
    if (!scan || !row) return;
    if (act === "scan") this.host.openScan?.(scan);
    else if (act === "notebook") this.host.openNotebook?.(scan, row);
    else if (act === "stop" || act === "retry") this.commands.run(act, [row.id]);
  }
}

function notebookButton(running: boolean, there: boolean): HTMLElement {
  const words = running ? t("Open notebook so far") : t("Open notebook");
  const title = there ? words : t("No notebook was saved yet");
  const wanted = { "data-do": "notebook", disabled: !there, title };
  return button(words, [icon("notebook"), words], wanted);
}
