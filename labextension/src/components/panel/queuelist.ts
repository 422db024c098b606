/** Where GPUs are, at the foot of the panel: asked for when it is opened, and once a minute while it is. */
import type { Queue, Queues } from "../../wire";
import { backendName } from "../scan/progress";
import { button, drawIfChanged, h, setText } from "../ui/dom";
import { t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { updateList } from "../ui/keyedlist";
import { MISSING } from "../ui/numbers";
import { clip, full } from "../ui/text";
import { clock } from "../ui/times";

const EVERY_MS = 60_000;
const PROBLEMS = 5;
let made = 0;

/** States as shapes that jobs have too: what is on, off, or not known. */
const SHAPES: Record<Queue["state"], string> = {
  online: "done",
  offline: "cancelled",
  unknown: "new",
};

function free({ free: some, total }: Queue): HTMLElement | null {
  if (total === null) return null;
  const title = some === null ? t("%1 GPUs", total) : t("%1 of %2 GPUs are free", some, total);
  return h("span", { class: "gg-c", title }, `${some ?? MISSING}/${total}`);
}

function line(...words: string[]): HTMLElement {
  const text = words.filter(Boolean).join(", ");
  return h("div", { class: "gg-queue-line gg-q gg-cut", title: full(text) }, clip(text, 200));
}

function about(queue: Queue): (Node | null)[] {
  const { name, title, gpus_text: gpus, limits_text: limits, gpu_only: only } = queue;
  const place = backendName(queue);
  const at = title && title !== place ? `${place}: ${title}` : place;
  return [
    h(
      "div",
      { class: "gg-queue-name" },
      icon(SHAPES[queue.state], t(queue.state)),
      h("b", { class: "gg-cut", title: full(`${name} (${queue.source})`) }, clip(name, 60)),
      h("span", { class: "gg-sp" }),
      free(queue),
    ),
    line(gpus === "none" ? t("no GPU") : gpus === "?" ? t("GPUs not known") : gpus),
    line(at),
    limits || only ? line(limits, only ? t("only jobs with GPUs") : "") : null,
  ];
}

export class QueueList {
  readonly element = h("section", { class: "gg-queues", "aria-label": t("Queues") });
  private readonly chevron = h("span", { class: "gg-chev" });
  private readonly asOf = h("span", { class: "gg-q gg-small" });
  private readonly body: HTMLElement;
  private readonly list = h("ul", { tabindex: 0, "aria-label": t("Queues") });
  private readonly notes = h("div", { class: "gg-queue-notes" });
  private readonly said = h("p", { class: "gg-q", role: "status" });
  private readonly head: HTMLButtonElement;
  private timer: ReturnType<typeof setInterval> | undefined;
  private asks = 0;

  constructor(private readonly ask: () => Promise<Queues>) {
    const id = `gridgpu-queues-${(made += 1)}`;
    const title = h("b", {}, t("Queues"));
    this.head = button(
      t("Queues"),
      [this.chevron, title, h("span", { class: "gg-sp" }), this.asOf],
      {
        ...{ class: "gg-queues-hd", "aria-expanded": "false", "aria-controls": id, title: null },
      },
    );
    this.body = h("div", { class: "gg-queues-body", id }, this.said, this.list, this.notes);
    this.element.append(this.head, this.body);
    this.head.addEventListener("click", () => this.toggle());
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.isOpen) return;
      this.toggle(false);
      this.head.focus({ preventScroll: true });
    });
    this.toggle(false);
  }

  dispose(): void {
    clearInterval(this.timer);
    this.asks += 1;
  }

  get isOpen(): boolean {
    return this.timer !== undefined;
  }

  toggle(on = !this.isOpen): void {
    clearInterval(this.timer);
    this.timer = on ? setInterval(() => void this.refresh(), EVERY_MS) : undefined;
    this.head.setAttribute("aria-expanded", String(on));
    drawIfChanged(this.chevron, String(on), () => [icon(on ? "open" : "closed")]);
    this.body.hidden = this.asOf.hidden = !on;
    if (on) void this.refresh();
  }

  /** What was shown stays until the answer is there, and where there is none. */
  private async refresh(): Promise<void> {
    const mine = (this.asks += 1);
    if (this.list.children.length === 0) this.say(t("Asks the engines for their queues."));
    try {
      const found = await this.ask();
      if (mine === this.asks) this.draw(found);
    } catch (error) {
      if (mine === this.asks) this.say(clip((error as Error).message, 300));
    }
  }

  private draw({ asked, queues, problems }: Queues): void {
    setText(this.asOf, t("as of %1", clock(asked)));
    this.say("");
    updateList(this.list, queues, {
      key: ({ backend, name }) => `${backend} ${name}`,
      draw: (queue, old) => {
        const element = old ?? h("li");
        element.dataset["queue"] = queue.name;
        drawIfChanged(element, JSON.stringify(queue), () => about(queue));
        return element;
      },
    });
    const shown = problems.slice(0, PROBLEMS).map((text) => clip(text, 400));
    drawIfChanged(this.notes, JSON.stringify(shown), () =>
      shown.map((text) => h("p", {}, icon("lost", t("note")), h("span", {}, text))),
    );
  }

  private say(text: string): void {
    setText(this.said, text);
    this.said.hidden = text === "";
    this.list.hidden = this.list.children.length === 0 && text !== "";
  }
}
