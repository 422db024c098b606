/** The elements of an opened scan's lines. Each is drawn again only when it says something else. */
import type { Row } from "../../wire";
import { comparable } from "../scan/rows";
import { reasonText } from "../scan/sentences";
import { formatValue } from "../scan/values";
import { button, drawIfChanged, h, setAttributes } from "../ui/dom";
import { t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { MISSING } from "../ui/numbers";
import { clip, full } from "../ui/text";
import type { PanelLine } from "./lines";

type Of<K extends PanelLine["kind"]> = Extract<PanelLine, { kind: K }>;

const IDS = 8;

const quiet = (text: string): HTMLElement => h("span", { class: "gg-q" }, text);

/** Reached with the arrow keys, as all in the tree. */
const reached = { tabindex: -1 };

function title({ text, right, retryAll }: Of<"title">, command: boolean): Node[] {
  const all = { ...reached, class: "gg-l", "data-do": "retry-all" };
  return [
    h("span", {}, text),
    h("span", { class: "gg-sp" }),
    retryAll && command
      ? button(t("retry all that failed"), [t("retry all")], all)
      : h("span", { class: "gg-c", title: full(right) }, clip(right, 30)),
  ];
}

function progress(row: Row): (Node | null)[] {
  if (row.step === null) return [];
  if (!row.steps) return [quiet(t("epoch %1", row.step))];
  const bar = h("i", { class: "gg-prog" }, h("i"));
  (bar.firstElementChild as HTMLElement).style.width =
    `${Math.min(100, (row.step / row.steps) * 100)}%`;
  return [bar, quiet(`${row.step}/${row.steps}`)];
}

function waits(row: Row): string {
  const why = row.message?.replace(/\.$/, "") ?? (row.reason ? reasonText(row.reason) : "");
  const where = row.where && !why.includes(row.where) ? row.where : "";
  const small = where
    ? why.replace(/^[A-Z](?=[a-z]*(?:\W|$))/, (first) => first.toLowerCase())
    : why;
  return [where, small].filter(Boolean).join(", ");
}

function middle({ row, best }: Of<"job">): (Node | null)[] {
  if (row.state === "running") return progress(row);
  if (row.state === "queued")
    return [h("span", { class: "gg-q gg-cut", title: full(waits(row)) }, clip(waits(row)))];
  if (best) return [quiet(t("best"))];
  return row.step === null
    ? []
    : [quiet(row.steps ? `${row.step}/${row.steps}` : String(row.step))];
}

function job(part: Of<"job">): Node[] {
  const { row } = part;
  const value = comparable(row);
  const shown = row.state === "queued" ? "" : value === null ? MISSING : formatValue(value);
  return [
    icon(row.state, t(row.state)),
    h("span", { class: "gg-c" }, clip(row.id, 24)),
    h("span", { class: "gg-mid-part" }, ...middle(part)),
    h("span", { class: "gg-c", title: value === null ? null : String(value) }, shown),
  ];
}

function causeActions({ cause, open }: Of<"cause">, can: LineAbilities): (Node | null)[] {
  const words = clip(cause.text, 60);
  const retry = { ...reached, "data-do": "retry" };
  if (!open) {
    return [
      can.command ? button(t("retry: %1", words), [t("retry")], { ...retry, class: "gg-l" }) : null,
    ];
  }
  const cell = cause.rows.find((row) => row.cell !== null && row.reason === "notebook");
  const show = { ...reached, "data-notebook": cell?.id ?? "" };
  return [
    cell && can.notebook
      ? button(
          t("Open cell %1 of %2", cell.cell ?? "", clip(cell.id, 40)),
          [t("Open cell %1", cell.cell ?? "")],
          show,
        )
      : null,
    can.command ? button(t("Retry: %1", words), [icon("retry"), t("Retry")], retry) : null,
  ];
}

function causeIds({ cause }: Of<"cause">): HTMLElement {
  const named = cause.rows.slice(0, IDS).map(({ id }) => {
    const name = clip(id, 24);
    return button(t("Open %1", name), [name], {
      ...reached,
      class: "gg-l gg-plain",
      "data-job": id,
    });
  });
  const rest = cause.rows.length - named.length;
  return h("div", { class: "gg-ids gg-c gg-q" }, ...named, rest > 0 ? `+${rest}` : null);
}

function cause(part: Of<"cause">, can: LineAbilities): (Node | null)[] {
  const { cause: found, open } = part;
  const head = [
    icon(found.state, t(found.state)),
    h(
      open ? "b" : "span",
      { class: "gg-mid-part gg-cut", title: full(found.message) },
      clip(open ? found.title : found.text, 120),
    ),
    h("span", { class: "gg-c" }, String(found.rows.length)),
  ];
  if (!open) return [...head, ...causeActions(part, can)];
  const message = found.message ? h("p", {}, found.message) : null;
  const acts = causeActions(part, can);
  return [
    h("div", { class: "gg-cause-hd" }, ...head),
    message,
    causeIds(part),
    h("div", { class: "gg-bt0" }, ...acts),
  ];
}

export interface LineAbilities {
  command: boolean;
  notebook: boolean;
  /** The job that was opened last. */
  current: string | null;
}

function contents(part: PanelLine, can: LineAbilities): (Node | null)[] {
  if (part.kind === "title") return title(part, can.command);
  if (part.kind === "cause") return cause(part, can);
  if (part.kind === "job") return job(part);
  return [h("span", { class: "gg-l" }, part.text)];
}

/** All of what it shows; of a cause not its rows, which may be thousands. */
function signature(part: PanelLine, can: LineAbilities): string {
  if (part.kind === "job") {
    const { state, step, steps, value, message, reason, where } = part.row;
    const words = [message, reason, where].map((text) => clip(text ?? ""));
    return JSON.stringify([state, step, steps, value, part.best, words]);
  }
  if (part.kind !== "cause") return JSON.stringify([part, can.command]);
  const { rows, ...rest } = part.cause;
  return JSON.stringify([
    part.open,
    rest,
    rows.length,
    rows.slice(0, IDS).map(({ id }) => id),
    can,
  ]);
}

function role(
  part: PanelLine,
  can: LineAbilities,
): Record<string, string | number | boolean | null> {
  const item = { role: "treeitem", "aria-level": 2, "data-stop": "" };
  if (part.kind === "title") return part.retryAll ? item : {};
  if (part.kind === "more") return { ...item, "data-more": part.section };
  if (part.kind === "cause")
    return { ...item, "data-cause": part.cause.key, "aria-expanded": String(part.open) };
  return {
    ...item,
    "data-job": part.row.id,
    "data-state": part.row.state,
    "aria-current": can.current === part.row.id ? "true" : null,
  };
}

export function drawLine(
  part: PanelLine,
  can: LineAbilities,
  old: HTMLElement | null,
): HTMLElement {
  const element = old ?? h("div", part.kind === "title" && !part.retryAll ? {} : { tabindex: -1 });
  const open = part.kind === "cause" && part.open ? " gg-opened-cause" : "";
  element.className = `gg-part gg-part-${part.kind}${open}`;
  setAttributes(element, role(part, can));
  drawIfChanged(element, signature(part, can), () => contents(part, can));
  return element;
}
