/** What all rows of the form have in common. */
import { h } from "../ui/dom";
import { type MenuItem, PopupMenu } from "../ui/popup";
import type { CheckedForm } from "./messages";

/** What a row asks of the list around it. */
export interface RowEvents {
  /** Something was typed or chosen in it. */
  changed(): void;
  /** Puts it under a new condition. */
  condition(): void;
  /** Lets it take its values together with other parameters. */
  together(): void;
  /** The entries of its menu that move or remove it. */
  moves(): MenuItem[];
}

/** One row on the page. */
export interface RowView {
  readonly element: HTMLElement;
  update(checked: CheckedForm): void;
  /** Focuses the input that is wrong, or the first one. */
  focus(): void;
}

/** Makes the element of a row that is no parameter: its word, and what stands beside it. */
export function lineOf(label: string, word: string, title: string): HTMLElement {
  const element = h("div", { class: "gf-row", role: "group", "aria-label": label });
  element.append(h("div", { class: "gf-name", title }, h("span", { class: "gg-c" }, word)));
  return element;
}

/** Makes the menu of a row, behind three dots; its label tells it from those of others. */
export const rowMenu = (items: () => MenuItem[], label: string): HTMLElement =>
  new PopupMenu(items, label).element;
