/** Parameters of a variant beside the notebook's own values. */
import type { Job, Row } from "../../wire";
import type { RowStatistics } from "../scan/statistics";
import { paramText } from "../scan/values";
import { h } from "../ui/dom";
import { t } from "../ui/i18n";
import { formatNumber, MISSING, newStyle } from "../ui/numbers";
import { clip, full, own } from "../ui/text";

/** A notebook may have many; these are enough to read. */
const MOST = 200;

function here(name: string, value: unknown, facts: RowStatistics): HTMLElement {
  const text = paramText(value);
  const style = facts.params.get(name)?.style ?? newStyle(3);
  const shown = typeof value === "number" ? formatNumber(value, style) : text;
  return h("td", { class: "gg-c", title: full(text) }, clip(shown, 120));
}

function usual(job: Job | null, name: string, value: unknown): HTMLElement {
  const known = job && Object.hasOwn(job.defaults, name);
  const text = known ? paramText(own(job.defaults, name)) : MISSING;
  const same = known && text === paramText(value);
  const title = same ? t("as in the notebook") : full(text);
  return h("td", { class: "gg-c gg-q", title }, same ? "=" : clip(text, 60));
}

/** In the order of the cell; what the scan does not set comes last, as the notebook has it. */
export function parameterRows(
  names: readonly string[],
  row: Row,
  job: Job | null,
): [string, unknown][] {
  const mine = [...new Set([...names, ...Object.keys(row.params)])];
  const set = mine.filter((name) => Object.hasOwn(row.params, name));
  const rest = Object.keys(job?.defaults ?? {}).filter((name) => !Object.hasOwn(row.params, name));
  return [
    ...set.map((name): [string, unknown] => [name, own(row.params, name)]),
    ...rest.map((name): [string, unknown] => [name, own(job?.defaults, name)]),
  ].slice(0, MOST);
}

export function parameterTable(
  names: readonly string[],
  row: Row,
  job: Job | null,
  facts: RowStatistics,
): HTMLElement {
  const head = [t("name"), t("here"), t("default")].map((text) => h("th", { scope: "col" }, text));
  const lines = parameterRows(names, row, job).map(([name, value]) =>
    h(
      "tr",
      { class: Object.hasOwn(row.params, name) ? "" : "gg-q" },
      h("th", { scope: "row", class: "gg-c", title: full(name) }, clip(name, 40)),
      here(name, value, facts),
      usual(job, name, value),
    ),
  );
  return h("table", {}, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...lines));
}
