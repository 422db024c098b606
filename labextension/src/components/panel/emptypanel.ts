/** What the panel says before there is a scan. */
import { button, h } from "../ui/dom";
import { t } from "../ui/i18n";

const EXAMPLE = "%%gridscan train.ipynb --maximize acc\nlr = loguniform(1e-4, 1e-2)";

/** A sentence in which one word is code. */
function sentence(words: string, code: string): HTMLElement {
  const [before = "", after = ""] = words.split("%1");
  return h("p", {}, before, h("span", { class: "gg-c" }, code), after);
}

export function emptyPanel(): Node[] {
  const put = t(
    "Open a notebook that trains something and put its settings in one cell with the tag %1.",
    "%1",
  );
  const runs = sentence(
    t("Runs on this machine unless you say %1 or another engine.", "%1"),
    "--on slurm",
  );
  runs.className = "gg-q";
  return [
    h("h2", {}, t("No scans yet")),
    sentence(put, "parameters"),
    h("p", {}, t("Then pick what to vary in a form, or write it in a cell:")),
    h("pre", { class: "gg-c", tabindex: 0, "aria-label": t("Example") }, EXAMPLE),
    button(t("Scan a notebook…"), [t("Scan a notebook…")], { class: "gg-p" }),
    runs,
  ];
}
