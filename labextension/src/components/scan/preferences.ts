/** What a user set once for all tables and logs. In JupyterLab its settings write it. */

/** The preferences that components read. */
export interface Preferences {
  /** How many seconds pass before an open log is read again. */
  refresh_s: number;
  /** Columns that a new table does not show, by the texts in their headers. */
  hidden: readonly string[];
}

/** The preferences of this page. */
export const preferences: Preferences = { refresh_s: 1, hidden: [] };

/** Changes some of the preferences for everything that is drawn from now on. */
export function setPreferences(wanted: Partial<Preferences>): void {
  Object.assign(preferences, wanted);
}
