/** Texts in the language of the page: English, until somebody sets a translator. */

/** Translates a text and puts values in the places of `%1`, `%2`, ... */
export type Translator = (text: string, ...values: (string | number)[]) => string;

/** `%1` stands for the first value, as in JupyterLab's own texts. */
const english: Translator = (text, ...values) =>
  text.replace(/%(\d)/g, (whole, place: string) => String(values[Number(place) - 1] ?? whole));

/** The translator of the page. Importers see a new one at once, since this binding is live. */
export let t: Translator = english;

/** Sets the translator of the page; null brings English back. */
export function setTranslator(translator: Translator | null): void {
  t = translator ?? english;
}

/** `count(2, "%1 job", "%1 jobs")` is `2 jobs`; further values are `%2`, `%3`, ... */
export const count = (
  number: number,
  one: string,
  many: string,
  ...more: (string | number)[]
): string => t(number === 1 ? one : many, number, ...more);
