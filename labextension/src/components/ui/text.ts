/** Short texts, and reading of objects whose keys come from outside. */

/** Cuts a text to at most `most` characters; the last one is then an ellipsis. */
export function clip(text: string, most = 200): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

/** A text in full, as far as a tooltip or a sentence can hold it: 1000 characters. */
export const full = (text: string): string => clip(text, 1000);

/** `plural(2, "job")` is `2 jobs`. */
export function plural(count: number, word: string, words = `${word}s`): string {
  return `${count} ${count === 1 ? word : words}`;
}

/**
 * The value that a record has under a name, or undefined.
 *
 * Names of parameters and metrics come from jobs and may be `__proto__` or `constructor`, so only
 * own properties are read.
 */
export function own<T>(record: Record<string, T> | null | undefined, name: string): T | undefined {
  return record && Object.hasOwn(record, name) ? record[name] : undefined;
}
