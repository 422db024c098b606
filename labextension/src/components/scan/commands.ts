/** Sends commands and says so while a busy kernel has not answered. */
import type { Action, Row } from "../../wire";
import type { QuestionBar } from "../ui/question";
import type { ScanMenuActions } from "./scanmenu";
import { askedSentence, notSentSentence, replayQuestion, stopQuestion } from "./sentences";
import type { ScanStore } from "./store";

const PATIENCE = 1000;

export class Commands {
  private readonly waiting: ReturnType<typeof setTimeout>[] = [];

  constructor(
    private readonly store: ScanStore,
    private readonly ask: QuestionBar,
    private readonly say: (text: string) => void,
  ) {}

  /** Stopping what runs is asked about first; all else is done at once. */
  run(action: Action, ids: string[] | null): void {
    const question =
      action === "stop" ? stopQuestion(this.rows(ids), this.all(ids), this.store.now()) : null;
    if (question) this.ask.ask(question, () => this.send(action, ids));
    else this.send(action, ids);
  }

  addTrials(): void {
    const question = { text: "Trials to add", yes: "Add trials", no: "Cancel" };
    this.ask.askNumber(question, 10, (trials) => this.send("extend", null, trials));
  }

  replay(): void {
    const variants = Object.values(this.store.scan?.counts ?? {}).reduce((sum, n) => sum + n, 0);
    this.ask.ask(replayQuestion(variants), () => this.send("replay", null));
  }

  /** What the menu of a scan may ask for; nothing where nobody is there to command. */
  menu(): Pick<ScanMenuActions, "addTrials" | "replay"> {
    if (this.store.missing) return { addTrials: null, replay: null };
    return { addTrials: () => this.addTrials(), replay: () => this.replay() };
  }

  answered(): void {
    clearTimeout(this.waiting.shift());
  }

  dispose(): void {
    this.waiting.forEach(clearTimeout);
  }

  /** How many run in the whole scan: its rows may still be coming. */
  private all(ids: string[] | null): number | null {
    return ids === null ? (this.store.scan?.counts.running ?? 0) : null;
  }

  private rows(ids: string[] | null): Row[] {
    if (ids === null) return [...this.store.rows.values()];
    return ids.map((id) => this.store.rows.get(id)).filter((row) => row !== undefined);
  }

  private send(action: Action, ids: string[] | null, trials?: number): void {
    const { store } = this;
    if (store.closed) return this.say(notSentSentence(store.peer));
    store.send({ type: "command", action, variants: ids, ...(trials ? { trials } : {}) });
    this.waiting.push(setTimeout(() => this.say(askedSentence(action, ids, store.peer)), PATIENCE));
  }
}
