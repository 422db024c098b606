/** Commands from a view of a scan to its runner. */
import type { Action, Row } from "../../wire";
import type { QuestionBar } from "../ui/questionbar";
import type { ScanMenuActions } from "./scanmenu";
import {
  askedSentence,
  notSentSentence,
  replayQuestion,
  stopQuestion,
  toAccept,
} from "./sentences";
import type { ScanStore } from "./store";

/** After so many milliseconds without an answer, the user is told that the command was sent. */
const PATIENCE = 1000;

/** Sends commands, asks first where work would be lost, and says so while no answer has come. */
export class Commands {
  /** One timer for each command without an answer, the oldest first. */
  private readonly waiting: ReturnType<typeof setTimeout>[] = [];

  constructor(
    private readonly store: ScanStore,
    private readonly question: QuestionBar,
    private readonly say: (text: string) => void,
  ) {}

  /**
   * Does something with these variants, or with the whole scan where `ids` is null.
   *
   * A stop that would end running jobs is asked about first; everything else is sent at once.
   */
  run(action: Action, ids: string[] | null): void {
    const foreign = this.store.scan?.foreign;
    if (foreign) return this.say(foreign);
    const question = this.questionBefore(action, ids);
    if (question) this.question.ask(question, () => this.send(action, ids));
    else this.send(action, ids);
  }

  /** Asks how many trials to add, and adds them. */
  addTrials(): void {
    const question = { text: "Trials to add", yes: "Add trials", no: "Cancel" };
    this.question.askNumber(question, 10, (trials) => this.send("extend", null, { trials }));
  }

  /** Runs all variants again as a new scan, after a question. */
  replay(): void {
    const counts = Object.values(this.store.scan?.counts ?? {});
    const variants = counts.reduce((sum, count) => sum + count, 0);
    const accept = toAccept(this.store.scan);
    const more = accept.length > 0 ? { accept } : {};
    this.question.ask(replayQuestion(variants, accept), () => this.send("replay", null, more));
  }

  /** What the menu of a scan may do. A scan that its sender does not know takes no commands. */
  menu(): Pick<ScanMenuActions, "addTrials" | "replay"> {
    if (this.store.missing) return { addTrials: null, replay: null };
    const addTrials = this.store.scan?.foreign ? null : (): void => this.addTrials();
    return { addTrials, replay: () => this.replay() };
  }

  /** An answer has come. Answers carry no name, but they come in the order of the commands. */
  answered(): void {
    clearTimeout(this.waiting.shift());
  }

  dispose(): void {
    this.waiting.forEach(clearTimeout);
  }

  private questionBefore(action: Action, ids: string[] | null): ReturnType<typeof stopQuestion> {
    if (action !== "stop") return null;
    return stopQuestion(this.rows(ids), this.runningInScan(ids), this.store.now());
  }

  /** How many jobs run in the whole scan. Its rows may still be coming, so they are not counted. */
  private runningInScan(ids: string[] | null): number | null {
    return ids === null ? (this.store.scan?.counts.running ?? 0) : null;
  }

  private rows(ids: string[] | null): Row[] {
    if (ids === null) return [...this.store.rows.values()];
    return ids.map((id) => this.store.rows.get(id)).filter((row) => row !== undefined);
  }

  private send(
    action: Action,
    ids: string[] | null,
    more: { trials?: number; accept?: string[] } = {},
  ): void {
    const { store } = this;
    // A command that waits for a connection might stop something much later.
    if (store.closed) return this.say(notSentSentence(store.peer));
    store.send({ type: "command", action, variants: ids, ...more });
    const tell = (): void => this.say(askedSentence(action, ids, store.peer));
    this.waiting.push(setTimeout(tell, PATIENCE));
  }
}
