/** The elements of the lines of an opened scan. */
import type { Row } from "../../wire";
import { comparable } from "../scan/rows";
import { FRONT_MEANS, reasonText } from "../scan/sentences";
import { formatValue } from "../scan/values";
import { button, drawIfChanged, h, setAttributes } from "../ui/dom";
import { t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { MISSING } from "../ui/numbers";
import { clip, full } from "../ui/text";
import type { PanelLine } from "./lines";

type LineOf<K extends PanelLine["kind"]> = Extract<PanelLine, { kind: K }>;

/** What can be done in the lines. */
export interface LineAbilities {
  /** The scan takes commands. */
  command: boolean;
  /** The host opens notebooks. */
  notebook: boolean;
  /** The job that was opened last. */
  current: string | null;
}

/** So many values of a job are shown. */
const MOST_VALUES = 2;
/** So many variants of a cause are named; the others are only counted. */
const MOST_NAMED = 8;

const quiet = (text: string): HTMLElement => h("span", { class: "gg-q" }, text);

/** Buttons in the tree are no tab stops: the arrow keys reach them. */
const noTabStop = { tabindex: -1 };

function titleContent({ text, right, retryAll }: LineOf<"title">, command: boolean): Node[] {
  const start = [h("span", {}, text), h("span", { class: "gg-sp" })];
  if (!retryAll || !command)
    return [...start, h("span", { class: "gg-c gg-cut", title: full(right) }, clip(right, 60))];
  const wanted = { ...noTabStop, class: "gg-l", "data-do": "retry-all" };
  return [...start, button(t("retry all that failed"), [t("retry all")], wanted)];
}

/** The epochs of a running job, as a bar where it is known how many there will be. */
function progress({ step, steps }: Row): Node[] {
  if (step === null) return [];
  if (!steps) return [quiet(t("epoch %1", step))];
  const filled = h("i");
  filled.style.width = `${Math.min(100, (step / steps) * 100)}%`;
  return [h("i", { class: "gg-prog" }, filled), quiet(`${step}/${steps}`)];
}

/** `T2_CH_CERN, waits for a GPU`: where a job waits, and why. */
function waitText({ message, reason, where }: Row): string {
  const fallback = reason ? reasonText(reason) : "";
  const why = message?.replace(/\.$/, "") ?? fallback;
  const place = where && !why.includes(where) ? where : "";
  if (!place) return full(why);
  // The sentence goes on behind the place; a name such as `GPU` keeps its capitals.
  const lowered = why.replace(/^[A-Z](?=[a-z]*(?:\W|$))/, (first) => first.toLowerCase());
  return [clip(place, 60), full(lowered)].filter(Boolean).join(", ");
}

/** What stands between the name of a job and its value. */
function middleContent({ row, mark }: LineOf<"job">): Node[] {
  if (row.state === "running") return progress(row);
  if (row.state === "queued") {
    const text = waitText(row);
    return [h("span", { class: "gg-q gg-cut", title: full(text) }, clip(text))];
  }
  if (mark === "best") return [quiet(t("best"))];
  if (mark === "front") return [h("span", { class: "gg-q", title: t(FRONT_MEANS) }, t("front"))];
  if (row.step === null) return [];
  return [quiet(row.steps ? `${row.step}/${row.steps}` : String(row.step))];
}

/** The value of the objective; of several the first few, and all of them in the title. */
function valueCell(row: Row): HTMLElement {
  const values = (row.values ?? [row.value]).map((_, i) => comparable(row, i));
  const texts = values.map((value) => (value === null ? MISSING : formatValue(value)));
  const known = values.some((value) => value !== null);
  const title = known ? values.map((value) => value ?? MISSING).join(", ") : null;
  const more = texts.length > MOST_VALUES ? ", …" : "";
  const text = known ? texts.slice(0, MOST_VALUES).join(", ") + more : MISSING;
  return h("span", { class: "gg-c", title }, row.state === "queued" ? "" : text);
}

function jobContent(line: LineOf<"job">): Node[] {
  const { row } = line;
  return [
    icon(row.state, t(row.state)),
    h("span", { class: "gg-c" }, clip(row.id, 24)),
    h("span", { class: "gg-mid-part" }, ...middleContent(line)),
    valueCell(row),
  ];
}

/** The buttons of an open cause: to its cell in a notebook, and to run its variants again. */
function causeButtons({ cause }: LineOf<"cause">, abilities: LineAbilities): Node[] {
  const buttons: Node[] = [];
  const inCell = cause.rows.find((row) => row.cell !== null && row.reason === "notebook");
  if (inCell && abilities.notebook) {
    const cell = inCell.cell ?? "";
    const label = t("Open cell %1 of %2", cell, clip(inCell.id, 40));
    const wanted = { ...noTabStop, "data-notebook": inCell.id };
    buttons.push(button(label, [t("Open cell %1", cell)], wanted));
  }
  if (abilities.command) {
    const label = t("Retry: %1", clip(cause.text, 60));
    const wanted = { ...noTabStop, "data-do": "retry" };
    buttons.push(button(label, [icon("retry"), t("Retry")], wanted));
  }
  return buttons;
}

function causeIds({ cause }: LineOf<"cause">): HTMLElement {
  const named = cause.rows.slice(0, MOST_NAMED).map(({ id }) => {
    const name = clip(id, 24);
    const wanted = { ...noTabStop, class: "gg-l gg-plain", "data-job": id };
    return button(t("Open %1", name), [name], wanted);
  });
  const others = cause.rows.length - named.length;
  return h("div", { class: "gg-ids gg-c gg-q" }, ...named, others > 0 ? `+${others}` : null);
}

function closedCauseContent({ cause }: LineOf<"cause">, abilities: LineAbilities): Node[] {
  const wanted = { class: "gg-mid-part gg-cut", title: full(cause.message) };
  const content: Node[] = [
    icon(cause.state, t(cause.state)),
    h("span", wanted, clip(cause.text, 120)),
    h("span", { class: "gg-c" }, String(cause.rows.length)),
  ];
  if (abilities.command) {
    const label = t("retry: %1", clip(cause.text, 60));
    const retry = { ...noTabStop, "data-do": "retry", class: "gg-l" };
    content.push(button(label, [t("retry")], retry));
  }
  return content;
}

function openCauseContent(line: LineOf<"cause">, abilities: LineAbilities): (Node | null)[] {
  const { cause } = line;
  const wanted = { class: "gg-mid-part gg-cut", title: full(cause.message) };
  const head = h("div", { class: "gg-cause-hd" }, icon(cause.state, t(cause.state)));
  head.append(h("b", wanted, clip(cause.title, 120)));
  head.append(h("span", { class: "gg-c" }, String(cause.rows.length)));
  return [
    head,
    cause.message ? h("p", {}, cause.message) : null,
    causeIds(line),
    h("div", { class: "gg-bt0" }, ...causeButtons(line, abilities)),
  ];
}

function content(line: PanelLine, abilities: LineAbilities): (Node | null)[] {
  switch (line.kind) {
    case "title":
      return titleContent(line, abilities.command);
    case "cause":
      return line.open ? openCauseContent(line, abilities) : closedCauseContent(line, abilities);
    case "job":
      return jobContent(line);
    case "more":
      return [h("span", { class: "gg-l" }, line.text)];
  }
}

/** Everything that a line shows, as a text. Of a cause it has only the rows that are named. */
function signature(line: PanelLine, abilities: LineAbilities): string {
  if (line.kind === "job") {
    const { state, step, steps, value, values, message, reason, where } = line.row;
    const texts = [message, reason, where].map((text) => clip(text ?? ""));
    return JSON.stringify([state, step, steps, value, values, line.mark, texts]);
  }
  if (line.kind !== "cause") return JSON.stringify([line, abilities.command]);
  const { rows, ...rest } = line.cause;
  const named = rows.slice(0, MOST_NAMED).map(({ id }) => id);
  return JSON.stringify([line.open, rest, rows.length, named, abilities]);
}

function attributesOf(
  line: PanelLine,
  { current }: LineAbilities,
): Record<string, string | number | boolean | null> {
  const item = { role: "treeitem", "aria-level": 2, "data-stop": "" };
  switch (line.kind) {
    case "title":
      // A title without a button has nothing to stop at.
      return line.retryAll ? item : {};
    case "more":
      return { ...item, "data-more": line.section };
    case "cause":
      return { ...item, "data-cause": line.cause.key, "aria-expanded": String(line.open) };
    case "job":
      return {
        ...item,
        "data-job": line.row.id,
        "data-state": line.row.state,
        "aria-current": current === line.row.id ? "true" : null,
      };
  }
}

/** Makes the element of a line, or changes the one that the line has. */
export function drawLine(
  line: PanelLine,
  abilities: LineAbilities,
  old: HTMLElement | null,
): HTMLElement {
  const stops = line.kind !== "title" || line.retryAll;
  const element = old ?? h("div", stops ? noTabStop : {});
  const open = line.kind === "cause" && line.open ? " gg-opened-cause" : "";
  element.className = `gg-part gg-part-${line.kind}${open}`;
  setAttributes(element, attributesOf(line, abilities));
  drawIfChanged(element, signature(line, abilities), () => content(line, abilities));
  return element;
}
