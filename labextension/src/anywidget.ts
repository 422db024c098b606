/** The part of anywidget that the widgets use. */

/** The model of a widget: its traits, and messages to and from the kernel. */
export interface Model {
  get(name: string): unknown;
  send(content: unknown): void;
  on(name: string, callback: (...args: never[]) => void): void;
  off(name?: string | null, callback?: ((...args: never[]) => void) | null): void;
}

/** Where a widget draws one of its views. */
export interface ViewProps {
  model: Model;
  el: HTMLElement;
}

/**
 * Listens to a model; returns a function that ends this.
 *
 * `message` is called with each message of the kernel, and `closed` when the kernel has ended or
 * the widget was closed.
 */
export function subscribe(
  model: Model,
  message: (data: unknown) => void,
  closed: () => void,
): () => void {
  model.on("msg:custom", message);
  model.on("comm:close", closed);
  return () => {
    model.off("msg:custom", message);
    model.off("comm:close", closed);
  };
}
