/** How the form asks the page around it whether the server sees the scans of its kernel. */
import type { FormContent } from "./messages";

/** The name of the event. */
export const ASK_HOME = "gridgpu:ask-home";

/** The detail of the event: the kernel's home of scans, its mark, and what takes the answer. */
export interface AskHome {
  home: string;
  mark: string;
  /** Takes a sentence if the server keeps its scans elsewhere. */
  differs(text: string): void;
}

/** Asks once the form is on the page: before that, nobody around it hears the event. */
export function askHome(
  element: HTMLElement,
  { home, mark }: FormContent,
  differs: (text: string) => void,
): void {
  if (!mark || typeof ResizeObserver === "undefined") return;
  const observer = new ResizeObserver(() => {
    if (!element.isConnected) return;
    observer.disconnect();
    const detail: AskHome = { home, mark, differs };
    element.dispatchEvent(new CustomEvent(ASK_HOME, { bubbles: true, detail }));
  });
  observer.observe(element);
}
