/** The parameters of a variant, beside the values that the notebook itself has. */
import type { JobDetails, Row } from "../../wire";
import type { RowStatistics } from "../scan/statistics";
import { isActive, NOT_ACTIVE, paramText } from "../scan/values";
import { h } from "../ui/dom";
import { t } from "../ui/i18n";
import { formatNumber, MISSING, newStyle } from "../ui/numbers";
import { clip, full, own } from "../ui/text";

/** A notebook may have very many parameters; so many are shown. */
const MOST_PARAMETERS = 200;

/** A parameter; the scan gives it to this variant, or at other points alone, or never. */
export interface ShownParameter {
  name: string;
  kind: "given" | "inactive" | "notebook";
}

/** The cell with the value that the variant has. */
function valueCell(name: string, value: unknown, statistics: RowStatistics): HTMLElement {
  const text = paramText(value);
  const style = statistics.params.get(name)?.style ?? newStyle(3);
  const shown = typeof value === "number" ? formatNumber(value, style) : text;
  return h("td", { class: "gg-c", title: full(text) }, clip(shown, 120));
}

/** The cell of a parameter that is not active; its title has the notebook's own value too. */
function inactiveCell(job: JobDetails | null, name: string): HTMLElement {
  const known = job && Object.hasOwn(job.defaults, name);
  const value = known ? full(paramText(own(job.defaults, name))) : "";
  const title = known ? t("not active, notebook's default %1", value) : t(NOT_ACTIVE);
  return h("td", { title }, h("span", { class: "gg-c" }, MISSING), ` ${t("not active")}`);
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
 * The parameters in their order.
 *
 * First come those that the scan sets, in the order of its cell, also where they are not active;
 * then those that only the notebook sets.
 */
export function shownParameters(
  names: readonly string[],
  row: Row,
  job: JobDetails | null,
): ShownParameter[] {
  const inScan = new Set([...names, ...Object.keys(row.params)]);
  const inNotebook = Object.keys(job?.defaults ?? {}).filter((name) => !inScan.has(name));
  const rows = [
    ...[...inScan].map((name): ShownParameter => {
      return { name, kind: isActive(row, name) ? "given" : "inactive" };
    }),
    ...inNotebook.map((name): ShownParameter => ({ name, kind: "notebook" })),
  ];
  return rows.slice(0, MOST_PARAMETERS);
}

function parameterLine(
  { name, kind }: ShownParameter,
  row: Row,
  job: JobDetails | null,
  statistics: RowStatistics,
): HTMLElement {
  const inactive = kind === "inactive";
  const value = kind === "notebook" ? own(job?.defaults, name) : own(row.params, name);
  return h(
    "tr",
    { class: kind === "given" ? "" : "gg-q" },
    h("th", { scope: "row", class: "gg-c", title: full(name) }, clip(name, 40)),
    inactive ? inactiveCell(job, name) : valueCell(name, value, statistics),
    defaultCell(job, name, value),
  );
}

/** The table of the parameters. */
export function parameterTable(
  names: readonly string[],
  row: Row,
  job: JobDetails | null,
  statistics: RowStatistics,
): HTMLElement {
  const head = [t("name"), t("here"), t("default")].map((text) => h("th", { scope: "col" }, text));
  const lines = shownParameters(names, row, job).map((shown) =>
    parameterLine(shown, row, job, statistics),
  );
  return h("table", {}, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...lines));
}
