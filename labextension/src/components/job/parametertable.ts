/** The parameters of a variant, beside the values that the notebook itself has. */
import type { JobDetails, Row } from "../../wire";
import type { RowStatistics } from "../scan/statistics";
import { paramText } from "../scan/values";
import { h } from "../ui/dom";
import { t } from "../ui/i18n";
import { formatNumber, MISSING, newStyle } from "../ui/numbers";
import { clip, full, own } from "../ui/text";

/** A notebook may have very many parameters; so many are shown. */
const MOST_PARAMETERS = 200;

/** The cell with the value that the variant has. */
function valueCell(name: string, value: unknown, statistics: RowStatistics): HTMLElement {
  const text = paramText(value);
  const style = statistics.params.get(name)?.style ?? newStyle(3);
  const shown = typeof value === "number" ? formatNumber(value, style) : text;
  return h("td", { class: "gg-c", title: full(text) }, clip(shown, 120));
}

/** The cell with the value in the notebook; an equals sign where the variant has the same. */
function defaultCell(job: JobDetails | null, name: string, value: unknown): HTMLElement {
  // The server reads the defaults; until it has answered, they are missing.
  const known = job && Object.hasOwn(job.defaults, name);
  const text = known ? paramText(own(job.defaults, name)) : MISSING;
  if (known && text === paramText(value)) {
    return h("td", { class: "gg-c gg-q", title: t("as in the notebook") }, "=");
  }
  return h("td", { class: "gg-c gg-q", title: full(text) }, clip(text, 60));
}

/**
 * The names and values of the parameters in their order.
 *
 * First come those that the scan sets, in the order of its cell; then those that only the notebook
 * sets.
 */
export function parameterRows(
  names: readonly string[],
  row: Row,
  job: JobDetails | null,
): [name: string, value: unknown][] {
  const known = new Set([...names, ...Object.keys(row.params)]);
  const inScan = [...known].filter((name) => Object.hasOwn(row.params, name));
  const inNotebook = Object.keys(job?.defaults ?? {}).filter(
    (name) => !Object.hasOwn(row.params, name),
  );
  const rows = [
    ...inScan.map((name): [string, unknown] => [name, own(row.params, name)]),
    ...inNotebook.map((name): [string, unknown] => [name, own(job?.defaults, name)]),
  ];
  return rows.slice(0, MOST_PARAMETERS);
}

/** The table of the parameters. */
export function parameterTable(
  names: readonly string[],
  row: Row,
  job: JobDetails | null,
  statistics: RowStatistics,
): HTMLElement {
  const head = [t("name"), t("here"), t("default")].map((text) => h("th", { scope: "col" }, text));
  const lines = parameterRows(names, row, job).map(([name, value]) =>
    h(
      "tr",
      { class: Object.hasOwn(row.params, name) ? "" : "gg-q" },
      h("th", { scope: "row", class: "gg-c", title: full(name) }, clip(name, 40)),
      valueCell(name, value, statistics),
      defaultCell(job, name, value),
    ),
  );
  return h("table", {}, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...lines));
}
