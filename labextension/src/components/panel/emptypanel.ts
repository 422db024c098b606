/** What the panel says before there is a scan. */
import { button, h } from "../ui/dom";
import { t } from "../ui/i18n";

const EXAMPLE = "%%gridscan train.ipynb --maximize acc\nlr = loguniform(1e-4, 1e-2)";

/** A sentence in which one word, that stands for `%1`, is code. */
function sentence(text: string, code: string): HTMLElement {
  const [before = "", after = ""] = text.split("%1");
  return h("p", {}, before, h("span", { class: "gg-c" }, code), after);
}

/** How to get a first scan: two sentences, an example and a button. */
export function emptyPanel(): Node[] {
  // The translator puts `%1` in the place of `%1`, so that the sentence can be split there.
  const first = t(
    "Open a notebook that trains something and put its settings in one cell with the tag %1.",
    "%1",
  );
  const place = t("Runs on this machine unless you say %1 or another backend.", "%1");
  const placeSentence = sentence(place, "--on slurm");
  placeSentence.className = "gg-q";
  return [
    h("h2", {}, t("No scans yet")),
    sentence(first, "parameters"),
    h("p", {}, t("Then pick what to vary in a form, or write it in a cell:")),
    h("pre", { class: "gg-c", tabindex: 0, "aria-label": t("Example") }, EXAMPLE),
    button(t("Scan a notebook…"), [t("Scan a notebook…")], { class: "gg-p" }),
    placeSentence,
  ];
}
