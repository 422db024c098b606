/** What a person set once for all tables and logs; the settings of JupyterLab write it. */
export interface Defaults {
  /** How often an open log is read again, in seconds. */
  refresh_s: number;
  /** Columns that a new table does not show, by the words in their headers. */
  hidden: readonly string[];
}

export const defaults: Defaults = { refresh_s: 1, hidden: [] };

export function setDefaults(wanted: Partial<Defaults>): void {
  Object.assign(defaults, wanted);
}
