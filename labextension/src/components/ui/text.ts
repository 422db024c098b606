/** Texts from outside, made short and harmless, and objects whose keys come from outside. */

/** What programs write to colour a terminal or to move its cursor. */
const TERMINAL_CODES =
  // eslint-disable-next-line no-control-regex
  /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;
/** Characters that nobody sees: controls, marks of direction, no-width ones, halves of a pair. */
const HIDDEN = /\u034f|\u17b4|\u17b5|[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/u;
/** A part that `isolated` has put between its two marks of direction, or one hidden character. */
const ISOLATE_OR_HIDDEN = new RegExp(`\u2068([^\u2066-\u2069]*)\u2069|${HIDDEN.source}`, "gu");
/** Stands for a hidden character, so that two texts that differ also look different. */
const MARK = "\ufffd";
const SPACES = new Set(["\t", "\n", "\r"]);
/** Letters that are written from right to left. */
const RIGHT_TO_LEFT =
  /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** A text without the codes that terminals obey. */
export const withoutTerminalCodes = (text: string): string => text.replace(TERMINAL_CODES, "");

/**
 * A text as a page shows it. A hidden character could turn the words around it into another order,
 * or make two names look the same, so it becomes a mark.
 */
export function shown(text: string): string {
  if (!HIDDEN.test(text)) return text;
  return withoutTerminalCodes(text).replace(ISOLATE_OR_HIDDEN, (found, inner?: string) => {
    if (inner !== undefined) return `\u2068${shown(inner)}\u2069`;
    return SPACES.has(found) ? found : MARK;
  });
}

/** A text whose direction has no effect on the words around it in a sentence. */
const isolated = (text: string): string =>
  RIGHT_TO_LEFT.test(text) ? `\u2068${text}\u2069` : text;

/** Shows hidden characters and cuts to at most `most` characters; the last is then an ellipsis. */
export function clip(text: string, most = 200): string {
  // A text that was cut before has its two marks already.
  const bare = /^\u2068([^\u2066-\u2069]*)\u2069$/.exec(text)?.[1] ?? text;
  const cut = bare.length > most ? `${bare.slice(0, most - 1)}…` : bare;
  // Marks of direction that were in the text before must not end the ones that are put around it.
  return isolated(shown(cut).replace(/[\u2066-\u2069]/g, MARK));
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
