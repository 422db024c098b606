/** Rows by state, kept up to date row by row: 10,000 are walked once and never again as a whole. */
import { type Row, type State, STATES } from "../../wire";

const EMPTY: ReadonlyMap<string, Row> = new Map();

export class RowsByState {
  private readonly groups = new Map<State, Map<string, Row>>();
  private readonly states = new Map<string, State>();
  /** States whose rows are others than when they were last looked at. */
  private readonly changed = new Set<State>();

  reset(rows: Iterable<Row>): void {
    this.groups.clear();
    this.states.clear();
    for (const state of STATES) this.changed.add(state);
    this.put(rows);
  }

  put(rows: Iterable<Row>): void {
    for (const row of rows) {
      const before = this.states.get(row.id);
      if (before !== undefined && before !== row.state) this.drop(row.id, before);
      this.states.set(row.id, row.state);
      this.group(row.state).set(row.id, row);
      this.changed.add(row.state);
    }
  }

  get(state: State): ReadonlyMap<string, Row> {
    return this.groups.get(state) ?? EMPTY;
  }

  /** True once after each change of one of these. */
  take(...states: State[]): boolean {
    return states.map((state) => this.changed.delete(state)).includes(true);
  }

  private group(state: State): Map<string, Row> {
    const known = this.groups.get(state);
    if (known) return known;
    const made = new Map<string, Row>();
    this.groups.set(state, made);
    return made;
  }

  private drop(id: string, state: State): void {
    this.groups.get(state)?.delete(id);
    this.changed.add(state);
  }
}
