/** One variant: its head, parameters, curves, resources, attempts and log. */
import type { JobDetails, Row, ScanInfo } from "../../wire";
import { LogView } from "../log/logview";
import { Commands } from "../scan/commands";
import type { Curves, MakeCurves } from "../scan/curves";
import type { Host } from "../scan/host";
import { rankOf } from "../scan/ranking";
import { canStop } from "../scan/rows";
import { MISSING_SCAN, RELOAD, retrySentence } from "../scan/sentences";
import type { ScanStore, StoreChange } from "../scan/store";
import { paramText } from "../scan/values";
import { copyText } from "../ui/clipboard";
import { button, drawIfChanged, h, near, setAttributes, setText } from "../ui/dom";
import { DrawTimer } from "../ui/drawtimer";
import { t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { keepKeys } from "../ui/keys";
import { type MenuItem, PopupMenu } from "../ui/popup";
import { QuestionBar } from "../ui/questionbar";
import { clip } from "../ui/text";
import { attemptLines } from "./attempts";
import { figures, heading, reason, type ShownJob } from "./jobhead";
import { parameterTable } from "./parametertable";
import { charts, usageNote } from "./resources";

/** Milliseconds between two requests for what a job is beside its row. */
const PAUSE = 2000;
/** So many characters of a sentence are shown. */
const MOST_SAID = 400;

function section(name: string, note: HTMLElement, ...content: HTMLElement[]): HTMLElement {
  const title = h("h3", {}, name, note);
  return h("section", { class: "gg-block", "aria-label": name }, title, ...content);
}

const emptyNote = (): HTMLElement => h("span", { class: "gg-q" });

/** The view of one variant, in a tab of its own. */
export class JobView {
  readonly element = h("article", { class: "gridgpu gridgpu-job" });
  private readonly question = new QuestionBar();
  private readonly heading = h("div", { class: "gg-job-hd" });
  private readonly buttons = h("span", { class: "gg-acts" });
  private readonly popup = new PopupMenu(() => this.menuItems());
  private readonly said = h("div", { class: "gg-job-said gg-q", role: "status" });
  private readonly reason = h("div", { class: "gg-reason" });
  private readonly figures = h("div", { class: "gg-facts" });
  private readonly parameters = h("div", { class: "gg-params" });
  private readonly charts = h("div", { class: "gg-areas" });
  private readonly usageNote = emptyNote();
  private readonly attemptList = h("ol", { class: "gg-tries" });
  private readonly resources: HTMLElement;
  private readonly attempts: HTMLElement;
  private readonly curves: Curves;
  private readonly log: LogView;
  private readonly commands: Commands;
  private readonly drawTimer = new DrawTimer(() => this.draw());
  /** Functions that undo what the view began. */
  private readonly undo: (() => void)[] = [];
  private job: JobDetails | null = null;
  /** When the job was last asked for, and for which row. */
  private asked: { at: number; row: Row } | null = null;
  /** The last sentence for the user. */
  private sentence = "";

  constructor(
    private readonly store: ScanStore,
    readonly variant: string,
    makeCurves: MakeCurves,
    private readonly host: Host = {},
  ) {
    this.commands = new Commands(store, this.question, (text) => this.say(text));
    this.curves = makeCurves(store, variant);
    this.log = new LogView(store, variant, h("h3", {}, t("Log")));
    const hatched = h("span", { class: "gg-q" }, t("hatched: in the queue"));
    this.resources = section(t("Resources"), this.usageNote, this.charts);
    this.attempts = section(t("Attempts"), hatched, this.attemptList);
    keepKeys(this.element);
    this.assemble();
    this.listen();
    this.draw();
  }

  dispose(): void {
    for (const undo of this.undo.splice(0)) undo();
    this.drawTimer.cancel();
    this.commands.dispose();
    this.curves.dispose();
    this.log.dispose();
    this.element.remove();
  }

  /** Draws now what has come since the last drawing. */
  flush(): void {
    this.drawTimer.flush();
  }

  private assemble(): void {
    const space = h("span", { class: "gg-sp" });
    const top = h("div", { class: "gg-job-top" }, this.heading, space);
    top.append(this.buttons, this.popup.element);
    const head = h("header", {}, top, this.question.element);
    head.append(this.said, this.reason, this.figures);
    const parameters = section(t("Parameters"), emptyNote(), this.parameters);
    const curves = h("div", { class: "gg-block" }, this.curves.element);
    const log = h("div", { class: "gg-block" }, this.log.element);
    const pair = h("div", { class: "gg-pair" }, parameters, curves);
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
    // An answer that was on its way does not come any more.
    else if (change.type === "link") this.asked = null;
    // The log draws itself.
    if (change.type !== "log") this.drawTimer.request();
  }

  private say(text: string): void {
    this.sentence = text;
    this.showSentence(text);
  }

  private showSentence(text: string): void {
    setText(this.said, clip(text, MOST_SAID));
    this.said.hidden = text === "";
  }

  private get row(): Row | undefined {
    return this.store.rows.get(this.variant);
  }

  private get scan(): ScanInfo | null {
    return this.store.scan;
  }

  /** Draws once a second what counts the time; a job that has ended is at most asked for. */
  private tick(): void {
    const { scan, row } = this;
    if (this.store.closed) return this.drawConnection();
    if (!scan || !row || row.state === "running" || row.state === "queued") return this.draw();
    this.askForJob(row);
  }

  private drawConnection(): void {
    this.element.classList.toggle("gg-stale", this.store.closed);
    this.showSentence(this.connectionSentence());
  }

  private connectionSentence(): string {
    const { closed, missing, peer, retryAt, refused } = this.store;
    if (refused) return t(RELOAD);
    if (closed) {
      const lost = t("No answer from the %1.", peer);
      return `${lost} ${retrySentence(retryAt, this.store.wall())}`;
    }
    return missing ? t(MISSING_SCAN) : this.sentence;
  }

  /** Asks what the job is beside its row, after the row has changed. */
  private askForJob(row: Row): void {
    if (this.store.closed || this.store.missing) return;
    const now = performance.now();
    // Rows are replaced when they change, so the same object needs no second answer.
    if (this.asked && (this.asked.row === row || now - this.asked.at < PAUSE)) return;
    this.asked = { at: now, row };
    this.store.send({ type: "job", variant: row.id });
  }

  private draw(): void {
    const { scan, row } = this;
    this.drawConnection();
    this.element.classList.toggle("gg-none", !scan || !row);
    if (!scan || !row) return this.drawEmpty();
    this.askForJob(row);
    const now = this.store.now();
    const rank = rankOf(row, this.store.rows.values(), scan);
    this.drawHead({ scan, row, job: this.job, now, rank });
    this.drawParameters(scan, row);
    this.curves.update();
    this.drawUsage();
    this.drawAttempts(now);
  }

  private drawEmpty(): void {
    const known = this.scan !== null && !this.store.closed;
    const none = t("The scan has no variant %1.", clip(this.variant, 40));
    const text = known ? none : t("Waits for the scan.");
    if (!this.store.missing && !this.store.closed) setText(this.said, text);
    this.said.hidden = false;
  }

  private drawHead(shown: ShownJob): void {
    const { row, scan } = shown;
    const opens = !!this.host.openScan;
    setAttributes(this.element, { "aria-label": t("Job %1", clip(row.id, 40)) });
    const title = JSON.stringify([row.id, row.state, row.attempts, scan.name]);
    drawIfChanged(this.heading, title, () => heading(shown, opens));
    const why = JSON.stringify([row.message, row.reason, row.state]);
    drawIfChanged(this.reason, why, () => reason(shown));
    this.reason.hidden = this.reason.childElementCount === 0;
    const lines = figures(shown);
    const texts = lines.map((line) => line.textContent).join("\n");
    drawIfChanged(this.figures, texts, () => lines);
    this.drawButtons(row);
  }

  private drawButtons(row: Row): void {
    const stop = canStop(row);
    const command = !this.store.missing;
    const notebook = this.hasNotebook(row);
    drawIfChanged(this.buttons, JSON.stringify([stop, notebook, command]), () => [
      notebook === null ? null : notebookButton(stop, notebook),
      command ? commandButton(stop) : null,
    ]);
  }

  /** Whether there is a notebook to open; null where nobody can open one. */
  private hasNotebook(row: Row): boolean | null {
    if (!this.host.openNotebook) return null;
    return this.job?.has_notebook ?? row.notebook !== null;
  }

  private drawParameters(scan: ScanInfo, row: Row): void {
    const signature = JSON.stringify([scan.params, row.params, this.job?.defaults]);
    const { statistics } = this.store;
    drawIfChanged(this.parameters, signature, () => [
      parameterTable(scan.params, row, this.job, statistics),
    ]);
  }

  private drawUsage(): void {
    const metrics = this.curves.metricsOf(this.variant);
    if (!metrics) {
      this.resources.hidden = true;
      return;
    }
    const { usage, attempt } = metrics;
    const signature = JSON.stringify([attempt, usage.times, this.job?.limits]);
    drawIfChanged(this.charts, signature, () => charts(metrics, this.job));
    this.resources.hidden = this.charts.childElementCount === 0;
    setText(this.usageNote, usageNote(metrics));
  }

  private drawAttempts(now: number): void {
    const { job } = this;
    const live = job?.attempts.some(({ ended }) => ended === null);
    // The bars of an attempt that has not ended grow, so they are drawn every second.
    const signature = JSON.stringify([job?.attempts, live && Math.round(now)]);
    drawIfChanged(this.attemptList, signature, () => (job ? attemptLines(job, now) : []));
    this.attempts.hidden = this.attemptList.childElementCount === 0;
  }

  private menuItems(): MenuItem[] {
    const { scan, row, host } = this;
    if (!scan || !row) return [];
    const { openScan } = host;
    const lines = Object.entries(row.params).map(
      ([name, value]) => `${name} = ${paramText(value)}`,
    );
    const copy = { text: t("Copy parameters"), act: () => void this.copy(lines.join("\n")) };
    if (!openScan) return [copy];
    return [{ text: t("Open the scan"), act: () => openScan.call(host, scan) }, copy];
  }

  private async copy(text: string): Promise<void> {
    const copied = await copyText(text);
    this.say(copied ? t("Copied.") : t("The browser did not let this page copy."));
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

function notebookButton(running: boolean, saved: boolean): HTMLElement {
  const text = running ? t("Open notebook so far") : t("Open notebook");
  const title = saved ? text : t("No notebook was saved yet");
  const wanted = { "data-do": "notebook", disabled: !saved, title };
  return button(text, [icon("notebook"), text], wanted);
}

function commandButton(stop: boolean): HTMLElement {
  if (stop) return button(t("Stop"), [icon("stop"), t("Stop")], { "data-do": "stop" });
  const text = t("Run again");
  return button(text, [icon("retry"), text], { "data-do": "retry" });
}
