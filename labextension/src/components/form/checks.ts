/** Asks the kernel what it makes of the form: once typing rests, and the newest answer counts. */
import { asChecked, type CheckedForm, type FormState } from "./messages";

export interface FormLink {
  send(message: unknown): void;
  /** Messages from the kernel, and null when it has gone. */
  subscribe(fn: (message: unknown) => void): () => void;
}

const REST_MS = 150;
const PATIENCE_MS = 1000;

export interface CheckListener {
  answered(checked: CheckedForm): void;
  /** Whether an answer is waited for longer than it takes; or that none will come. */
  waiting(why: "" | "busy" | "gone"): void;
}

export class FormChecks {
  /** Several views may show one form; each listens to its own answers. */
  private readonly view = Math.random().toString(36).slice(2);
  private asked = 0;
  private state: FormState | null = null;
  private rest: ReturnType<typeof setTimeout> | undefined;
  private patience: ReturnType<typeof setTimeout> | undefined;
  private gone = false;
  private readonly undo: () => void;

  constructor(
    private readonly link: FormLink,
    private readonly watcher: CheckListener,
  ) {
    this.undo = link.subscribe((message) => this.hear(message));
  }

  /** Whether what the form shows has not been checked yet. */
  get pending(): boolean {
    return this.state !== null;
  }

  ask(state: FormState): void {
    this.state = state;
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.flush(), REST_MS);
  }

  flush(): void {
    clearTimeout(this.rest);
    clearTimeout(this.patience);
    if (this.gone || !this.state) return;
    this.asked += 1;
    this.link.send({ type: "check", state: this.state, id: this.id() });
    this.patience = setTimeout(() => this.watcher.waiting("busy"), PATIENCE_MS);
  }

  dispose(): void {
    clearTimeout(this.rest);
    clearTimeout(this.patience);
    this.undo();
  }

  private id(): string {
    return `${this.view}-${this.asked}`;
  }

  private hear(message: unknown): void {
    if (message === null) {
      this.gone = true;
      clearTimeout(this.patience);
      this.watcher.waiting("gone");
      return;
    }
    const checked = asChecked(message);
    if (!checked || (message as { id?: unknown }).id !== this.id()) return;
    clearTimeout(this.patience);
    this.state = null;
    this.watcher.waiting("");
    this.watcher.answered(checked);
  }
}
