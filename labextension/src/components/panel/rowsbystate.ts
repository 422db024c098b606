/** The rows of a scan by state. */
import { type Row, type State, STATES } from "../../wire";

const EMPTY: ReadonlyMap<string, Row> = new Map();

/**
 * Groups rows by state, and knows which groups have changed.
 *
 * A scan may have ten thousand rows. All of them are looked at once; afterwards only those that
 * changed are.
 */
export class RowsByState {
  private readonly groups = new Map<State, Map<string, Row>>();
  private readonly stateOf = new Map<string, State>();
  /** States whose rows have changed since they were last taken. */
  private readonly changed = new Set<State>();

  /** Forgets all rows and takes these. */
  reset(rows: Iterable<Row>): void {
    this.groups.clear();
    this.stateOf.clear();
    for (const state of STATES) this.changed.add(state);
    this.put(rows);
  }

  /** Takes rows that are new or have changed. */
  put(rows: Iterable<Row>): void {
    for (const row of rows) {
      const before = this.stateOf.get(row.id);
      if (before !== undefined && before !== row.state) this.remove(row.id, before);
      this.stateOf.set(row.id, row.state);
      this.group(row.state).set(row.id, row);
      this.changed.add(row.state);
    }
  }

  /** The rows in a state, by their ids. */
  get(state: State): ReadonlyMap<string, Row> {
    return this.groups.get(state) ?? EMPTY;
  }

  /** Whether rows in one of these states have changed since the last call. */
  takeChanged(...states: State[]): boolean {
    // All of them are taken, not only those up to the first that has changed.
    return states.map((state) => this.changed.delete(state)).includes(true);
  }

  private group(state: State): Map<string, Row> {
    const known = this.groups.get(state);
    if (known) return known;
    const made = new Map<string, Row>();
    this.groups.set(state, made);
    return made;
  }

  private remove(id: string, state: State): void {
    this.groups.get(state)?.delete(id);
    this.changed.add(state);
  }
}
