/** A widget's model with the kernel's end in the hands of the test. */
import type { Model } from "../src/anywidget";

type Callback = (...args: never[]) => void;

export class FakeModel<Sent = unknown> implements Model {
  readonly sent: Sent[] = [];
  readonly callbacks = new Map<string, Set<Callback>>();

  constructor(private readonly traits: Record<string, unknown>) {}

  get(name: string): unknown {
    return this.traits[name];
  }

  send(content: unknown): void {
    this.sent.push(structuredClone(content) as Sent);
  }

  on(name: string, callback: Callback): void {
    this.callbacks.set(name, (this.callbacks.get(name) ?? new Set()).add(callback));
  }

  off(name?: string | null, callback?: Callback | null): void {
    if (name && callback) this.callbacks.get(name)?.delete(callback);
  }

  emit(name: string, data?: unknown): void {
    for (const callback of this.callbacks.get(name) ?? []) callback(data as never);
  }
}
