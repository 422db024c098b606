/** Where GPUs are: the queues, at the foot of the panel. */
import type { ProfileInfo, QueueInfo, Queues } from "../../wire";
import { backendName } from "../scan/progress";
import { button, drawIfChanged, h, setText } from "../ui/dom";
import { t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { updateList } from "../ui/keyedlist";
import { MISSING } from "../ui/numbers";
import { clip, full } from "../ui/text";
import { clock } from "../ui/times";

/** Milliseconds between two requests while the list is open. */
const EVERY = 60_000;
/** So many problems are shown. */
const MOST_PROBLEMS = 5;

/** Each list needs an id that no other element of the page has. */
let listsMade = 0;

/** The states of queues as icons that jobs have too: on, off, or not known. */
const ICONS: Record<QueueInfo["state"], string> = {
  online: "done",
  offline: "cancelled",
  unknown: "new",
};

function freeGpus({ free, total }: QueueInfo): HTMLElement | null {
  if (total === null) return null;
  const title = free === null ? t("%1 GPUs", total) : t("%1 of %2 GPUs are free", free, total);
  return h("span", { class: "gg-c", title }, `${free ?? MISSING}/${total}`);
}

function line(...texts: string[]): HTMLElement {
  const text = texts.filter(Boolean).join(", ");
  return h("div", { class: "gg-queue-line gg-q gg-cut", title: full(text) }, clip(text, 200));
}

function gpusText({ gpus_text: text }: QueueInfo): string {
  if (text === "none") return t("no GPU");
  return text === "?" ? t("GPUs not known") : text;
}

function placeText(queue: QueueInfo): string {
  const backend = backendName(queue);
  const { title } = queue;
  return title && title !== backend ? `${backend}: ${title}` : backend;
}

function queueContent(queue: QueueInfo): (Node | null)[] {
  const { name, limits_text: limits, gpu_only: gpuOnly } = queue;
  const title = full(`${name} (${queue.source})`);
  const head = h("div", { class: "gg-queue-name" }, icon(ICONS[queue.state], t(queue.state)));
  head.append(h("b", { class: "gg-cut", title }, clip(name, 60)), h("span", { class: "gg-sp" }));
  const free = freeGpus(queue);
  if (free) head.append(free);
  const restrictions = limits || gpuOnly;
  return [
    head,
    line(gpusText(queue)),
    line(placeText(queue)),
    restrictions ? line(limits, gpuOnly ? t("only jobs with GPUs") : "") : null,
  ];
}

function profileContent({ name, title, options, source }: ProfileInfo): Node[] {
  const head = h("div", { class: "gg-queue-name" });
  head.append(h("b", { class: "gg-cut", title: full(`${name} (${source})`) }, clip(name, 60)));
  return [head, ...[title, options].filter(Boolean).map((text) => line(text))];
}

/**
 * The list of the queues, and below it the profiles. They are asked for when it opens, and once a
 * minute while it is open.
 */
export class QueueList {
  readonly element = h("section", { class: "gg-queues", "aria-label": t("Queues") });
  private readonly chevron = h("span", { class: "gg-chev" });
  private readonly asOf = h("span", { class: "gg-q gg-small" });
  private readonly body: HTMLElement;
  private readonly list = h("ul", { tabindex: 0, "aria-label": t("Queues") });
  private readonly profilesHead = h("p", { class: "gg-queue-name gg-q" }, t("Profiles"));
  private readonly profiles = h("ul", { tabindex: 0, "aria-label": t("Profiles") });
  private readonly notes = h("div", { class: "gg-queue-notes" });
  private readonly said = h("p", { class: "gg-q", role: "status" });
  private readonly head: HTMLButtonElement;
  private timer: ReturnType<typeof setInterval> | undefined;
  /** The number of the last request; an answer to an earlier one is dropped. */
  private requests = 0;

  constructor(private readonly ask: () => Promise<Queues>) {
    listsMade += 1;
    const id = `gridgpu-queues-${listsMade}`;
    const title = h("b", {}, t("Queues"));
    const content = [this.chevron, title, h("span", { class: "gg-sp" }), this.asOf];
    const aria = { "aria-expanded": "false", "aria-controls": id };
    this.head = button(t("Queues"), content, { class: "gg-queues-hd", ...aria, title: null });
    const lists = [this.said, this.list, this.profilesHead, this.profiles, this.notes];
    this.body = h("div", { class: "gg-queues-body", id }, ...lists);
    this.element.append(this.head, this.body);
    this.head.addEventListener("click", () => this.toggle());
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.isOpen) return;
      this.toggle(false);
      this.head.focus({ preventScroll: true });
    });
    this.profilesHead.hidden = true;
    this.profiles.hidden = true;
    this.toggle(false);
  }

  dispose(): void {
    clearInterval(this.timer);
    this.requests += 1;
  }

  get isOpen(): boolean {
    return this.timer !== undefined;
  }

  /** Opens or closes the list. */
  toggle(on = !this.isOpen): void {
    clearInterval(this.timer);
    this.timer = on ? setInterval(() => void this.refresh(), EVERY) : undefined;
    this.head.setAttribute("aria-expanded", String(on));
    drawIfChanged(this.chevron, String(on), () => [icon(on ? "open" : "closed")]);
    this.body.hidden = !on;
    this.asOf.hidden = !on;
    if (on) void this.refresh();
  }

  /** Asks for the queues. What is shown stays until the answer is there, or if there is none. */
  private async refresh(): Promise<void> {
    this.requests += 1;
    const request = this.requests;
    if (this.list.children.length === 0) this.say(t("Asks the batch systems for their queues."));
    try {
      const found = await this.ask();
      if (request === this.requests) this.draw(found);
    } catch (error) {
      if (request === this.requests) this.say(clip((error as Error).message, 300));
    }
  }

  private draw({ asked, queues, profiles, problems }: Queues): void {
    setText(this.asOf, t("as of %1", clock(asked)));
    this.say("");
    updateList(this.list, queues, {
      key: ({ backend, name }) => `${backend} ${name}`,
      draw: (queue, old) => {
        const element = old ?? h("li");
        element.dataset["queue"] = queue.name;
        drawIfChanged(element, JSON.stringify(queue), () => queueContent(queue));
        return element;
      },
    });
    updateList(this.profiles, profiles, {
      key: ({ name }) => name,
      draw: (profile, old) => {
        const element = old ?? h("li");
        element.dataset["profile"] = profile.name;
        drawIfChanged(element, JSON.stringify(profile), () => profileContent(profile));
        return element;
      },
    });
    this.profilesHead.hidden = profiles.length === 0;
    this.profiles.hidden = profiles.length === 0;
    const shown = problems.slice(0, MOST_PROBLEMS).map((text) => clip(text, 400));
    drawIfChanged(this.notes, JSON.stringify(shown), () =>
      shown.map((text) => h("p", {}, icon("lost", t("note")), h("span", {}, text))),
    );
  }

  private say(text: string): void {
    setText(this.said, text);
    this.said.hidden = text === "";
    // An empty list would be a tab stop without anything in it.
    this.list.hidden = this.list.children.length === 0 && text !== "";
  }
}
