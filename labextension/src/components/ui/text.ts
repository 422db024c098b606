/** Short texts: cut to a length, and with a number before a noun. */

export function clip(text: string, most = 200): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

export const full = (text: string): string => clip(text, 1000);

/** Own properties only: names come from jobs, and `__proto__` is a name. */
export function own<T>(record: Record<string, T> | null | undefined, name: string): T | undefined {
  return record && Object.hasOwn(record, name) ? record[name] : undefined;
}

export function plural(count: number, word: string, words = `${word}s`): string {
  return `${count} ${count === 1 ? word : words}`;
}
