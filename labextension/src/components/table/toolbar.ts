/** The line above the rows: filter, number of rows, sort, selection, curves and columns. */
import type { ScanStore } from "../scan/store";
import { canStop } from "../scan/rows";
import { button, drawIfChanged, h, setText } from "../ui/dom";
import { icon } from "../ui/icons";
import { plural } from "../ui/text";
import type { TableArrangement } from "./arrangement";

/** What can be done with the selected rows. */
export type SelectionAction = "retry" | "stop" | "clear";

/** What a user does in the toolbar; the table answers. */
export interface ToolbarEvents {
  filter(text: string): void;
  /** The user pressed Down or Enter in the filter box. */
  enterGrid(): void;
  sortNow(): void;
  selected(action: SelectionAction): void;
  /** Opens or closes the menu of the columns. */
  columns(): void;
  /** Opens or closes the curves. */
  curves(): void;
}

/** What the toolbar shows. */
export interface ToolbarState {
  /** How many rows the filter lets through, and how many there are. */
  matched: number;
  all: number;
  /** What is wrong with the filter. */
  hint: string | null;
  /** How many rows a sort would move. */
  moved: number;
  selected: number;
  /** How many of the selected rows can be run again, and how many can be stopped. */
  canRetry: number;
  canStop: number;
  /** There is a metric to draw. */
  canPlot: boolean;
}

/** What the toolbar shows of an arrangement. */
export function toolbarState(arrangement: TableArrangement, store: ScanStore): ToolbarState {
  const { matched, hint, moved } = arrangement;
  const selected = arrangement.selectedRows();
  const stoppable = selected.filter(canStop).length;
  return {
    ...{ matched, hint, moved, all: store.rows.size, selected: selected.length },
    canRetry: store.missing ? 0 : selected.length - stoppable,
    canStop: store.missing ? 0 : stoppable,
    canPlot: store.statistics.metrics.size > 0,
  };
}

/** `12 rows`, `3 of 12 rows`, or what is wrong with the filter. */
export function shownText({ matched, all, hint }: ToolbarState): string {
  if (hint !== null) return hint;
  return matched === all ? plural(all, "row") : `${matched} of ${plural(all, "row")}`;
}

const FILTER_HELP = "Words, name:value, lr<1e-3, loss>0.2, lr=- (not active), not word";

function selectionButtons(state: ToolbarState): Node[] {
  if (state.selected === 0) return [];
  const make = (label: string, text: string, act: SelectionAction): HTMLElement =>
    button(label, [text], { "data-act": act });
  const nodes: Node[] = [h("span", {}, h("b", {}, String(state.selected)), " selected")];
  if (state.canRetry) nodes.push(make("Run again: the selected", "Run again", "retry"));
  if (state.canStop) nodes.push(make("Stop the selected", "Stop", "stop"));
  nodes.push(button("Select none", [icon("close")], { class: "gg-i", "data-act": "clear" }));
  return nodes;
}

/** The toolbar. */
export class Toolbar {
  readonly element = h("div", { class: "gg-tl" });
  readonly input = h("input", {
    "aria-label": "Filter rows",
    type: "text",
    spellcheck: "false",
    autocomplete: "off",
    placeholder: "filter",
    title: FILTER_HELP,
  });
  readonly columnsButton = button("Columns", [icon("columns")], {
    class: "gg-i",
    "aria-expanded": "false",
    "aria-haspopup": "true",
  });
  readonly curvesButton = button("Curves", ["Curves"], {
    "aria-expanded": "false",
    title: "Curves of the selected variants, or of the best",
  });
  private readonly shown = h("span", { class: "gg-q gg-shown" });
  private readonly moved = h("span", {});
  private readonly selection = h("span", { class: "gg-sel-tools" });

  /** `rank` is the menu in which the user ranks by another metric. */
  constructor(
    private readonly events: ToolbarEvents,
    rank: HTMLElement,
  ) {
    const box = h("label", { class: "gg-fi" }, icon("find"), this.input);
    const space = h("span", { class: "gg-sp" });
    const end = [rank, this.curvesButton, this.columnsButton];
    this.element.append(box, this.shown, this.moved, space, this.selection, ...end);
    this.input.addEventListener("input", () => events.filter(this.input.value));
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.columnsButton.addEventListener("click", () => events.columns());
    this.curvesButton.addEventListener("click", () => events.curves());
    this.moved.addEventListener("click", () => events.sortNow());
    this.selection.addEventListener("click", (event) => {
      const act = (event.target as Element).closest<HTMLElement>("[data-act]")?.dataset["act"];
      if (act) events.selected(act as SelectionAction);
    });
  }

  /** Marks the button of the curves as pressed, or gives it the focus that the curves had. */
  showsCurves(open: boolean): void {
    this.curvesButton.setAttribute("aria-expanded", String(open));
    this.curvesButton.classList.toggle("gg-pressed", open);
    if (!open) this.curvesButton.focus({ preventScroll: true });
  }

  /** Empties the filter. */
  clear(): void {
    this.input.value = "";
    this.events.filter("");
  }

  private key(event: KeyboardEvent): void {
    // Letters typed here are no shortcuts of the grid.
    event.stopPropagation();
    if (event.key === "Escape") this.clear();
    else if (event.key === "ArrowDown" || event.key === "Enter") this.events.enterGrid();
    else return;
    event.preventDefault();
  }

  update(state: ToolbarState): void {
    setText(this.shown, shownText(state));
    this.shown.classList.toggle("gg-hint", state.hint !== null);
    drawIfChanged(this.moved, String(state.moved), () => {
      if (state.moved === 0) return [];
      const text = `${plural(state.moved, "row")} moved`;
      return [button(`${text}; sort now`, [text], { class: "gg-l" })];
    });
    const { selected, canRetry, canStop: stoppable } = state;
    this.curvesButton.hidden = !state.canPlot;
    const counts = `${selected} ${canRetry} ${stoppable}`;
    drawIfChanged(this.selection, counts, () => selectionButtons(state));
  }
}
