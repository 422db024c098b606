/** Asks the kernel what it makes of the form. */
import { asCheckedForm, type CheckedForm, type FormState } from "./messages";

/** The way to the kernel. */
export interface FormLink {
  send(message: unknown): void;
  /** Calls `listener` with each message of the kernel, and with null when the kernel has ended. */
  subscribe(listener: (message: unknown) => void): () => void;
}

/** Why there is no answer: the kernel runs a cell, or it has ended; empty if none is late. */
export type WaitReason = "" | "busy" | "gone";

/** What the form wants to know of its checks. */
export interface CheckListener {
  answered(checked: CheckedForm): void;
  waiting(why: WaitReason): void;
}

/** So many milliseconds after the last key, the form is checked. */
const TYPING_PAUSE = 150;
/** After so many milliseconds without an answer, the kernel is busy. */
const PATIENCE = 1000;

/**
 * Checks a form once typing rests. Every state of the form has a question of its own, and only the
 * answer to the newest one counts.
 */
export class FormChecks {
  /** Several views may show one form, and each gets all answers: this tells its own ones. */
  private readonly view = Math.random().toString(36).slice(2);
  private questions = 0;
  /** What has to be checked; null once it was. */
  private state: FormState | null = null;
  private typingTimer: ReturnType<typeof setTimeout> | undefined;
  private answerTimer: ReturnType<typeof setTimeout> | undefined;
  private ended = false;
  private readonly unsubscribe: () => void;

  constructor(
    private readonly link: FormLink,
    private readonly listener: CheckListener,
  ) {
    this.unsubscribe = link.subscribe((message) => this.receive(message));
  }

  /** Whether what the form shows has not been checked yet. */
  get pending(): boolean {
    return this.state !== null;
  }

  /** Checks this state soon. */
  check(state: FormState): void {
    this.state = state;
    // The answer to what was asked before may come while typing rests. It is about another state
    // and must not be taken for the answer about this one.
    this.questions += 1;
    clearTimeout(this.typingTimer);
    this.typingTimer = setTimeout(() => this.flush(), TYPING_PAUSE);
  }

  /** Checks now what waits for a check. */
  flush(): void {
    clearTimeout(this.typingTimer);
    clearTimeout(this.answerTimer);
    // A kernel that has ended answers nothing; the form then says so.
    if (this.ended || !this.state) return;
    this.link.send({ type: "check", state: this.state, id: this.questionId() });
    this.answerTimer = setTimeout(() => this.listener.waiting("busy"), PATIENCE);
  }

  dispose(): void {
    clearTimeout(this.typingTimer);
    clearTimeout(this.answerTimer);
    this.unsubscribe();
  }

  /** The name of the newest question, which its answer repeats. */
  private questionId(): string {
    return `${this.view}-${this.questions}`;
  }

  private receive(message: unknown): void {
    if (message === null) {
      this.ended = true;
      clearTimeout(this.answerTimer);
      this.listener.waiting("gone");
      return;
    }
    const checked = asCheckedForm(message);
    // An answer to an older question would bring back what was typed over.
    if (!checked || (message as { id?: unknown }).id !== this.questionId()) return;
    clearTimeout(this.answerTimer);
    this.state = null;
    this.listener.waiting("");
    this.listener.answered(checked);
  }
}
