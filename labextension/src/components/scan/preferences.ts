/** What a person set once for all tables and logs; the settings of JupyterLab write it. */
export interface Preferences {
  /** How often an open log is read again, in seconds. */
  refresh_s: number;
  /** Columns that a new table does not show, by the words in their headers. */
  hidden: readonly string[];
}

export const preferences: Preferences = { refresh_s: 1, hidden: [] };

export function setPreferences(wanted: Partial<Preferences>): void {
  Object.assign(preferences, wanted);
}
