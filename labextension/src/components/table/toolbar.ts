/** The line above the grid: filter, how many rows, what a sort would move, selection, columns. */
import { canStop } from "../scan/rows";
import type { ScanStore } from "../scan/store";
import { button, drawIfChanged, h, setText } from "../ui/dom";
import { icon } from "../ui/icons";
import { plural } from "../ui/text";
import type { TableArrangement } from "./arrangement";

export interface ToolbarEvents {
  filter(text: string): void;
  /** Down or Enter in the filter box. */
  enterGrid(): void;
  sortNow(): void;
  selected(action: "retry" | "stop" | "clear"): void;
  columns(): void;
  curves(): void;
}

export interface ToolbarState {
  matched: number;
  all: number;
  hint: string | null;
  moved: number;
  selected: number;
  canRetry: number;
  canStop: number;
  /** There is a metric to draw. */
  canPlot: boolean;
}

export function toolbarState(view: TableArrangement, store: ScanStore): ToolbarState {
  const { matched, hint, moved } = view;
  const chosen = view.selectedRows();
  const stoppable = chosen.filter(canStop).length;
  const [canStopNow, canRetry] = store.missing ? [0, 0] : [stoppable, chosen.length - stoppable];
  return {
    ...{ matched, hint, moved, all: store.rows.size, selected: chosen.length },
    ...{ canStop: canStopNow, canRetry, canPlot: store.statistics.metrics.size > 0 },
  };
}

export const shownText = ({ matched, all, hint }: ToolbarState): string =>
  hint ?? (matched === all ? plural(all, "row") : `${matched} of ${plural(all, "row")}`);

const HELP = "Words, name:value, lr<1e-3, loss>0.2, not word";

function selectionButtons({ selected, canRetry, canStop }: ToolbarState): (Node | null)[] {
  if (selected === 0) return [];
  const count = h("span", {}, h("b", {}, String(selected)), " selected");
  const make = (label: string, text: string, act: string): HTMLElement =>
    button(label, [text], { "data-act": act });
  return [
    count,
    canRetry ? make("Run again: the selected", "Run again", "retry") : null,
    canStop ? make("Stop the selected", "Stop", "stop") : null,
    button("Select none", [icon("close")], { class: "gg-i", "data-act": "clear" }),
  ];
}

export class Toolbar {
  readonly element = h("div", { class: "gg-tl" });
  readonly input = h("input", {
    "aria-label": "Filter rows",
    type: "text",
    spellcheck: "false",
    autocomplete: "off",
    placeholder: "filter",
    title: HELP,
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

  constructor(private readonly events: ToolbarEvents) {
    const box = h("label", { class: "gg-fi" }, icon("find"), this.input);
    const space = h("span", { class: "gg-sp" });
    const end = [this.curvesButton, this.columnsButton];
    this.element.append(box, this.shown, this.moved, space, this.selection, ...end);
    this.input.addEventListener("input", () => events.filter(this.input.value));
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.columnsButton.addEventListener("click", () => events.columns());
    this.curvesButton.addEventListener("click", () => events.curves());
    this.moved.addEventListener("click", () => events.sortNow());
    this.selection.addEventListener("click", (event) => {
      const act = (event.target as Element).closest<HTMLElement>("[data-act]")?.dataset["act"];
      if (act) events.selected(act as "retry" | "stop" | "clear");
    });
  }

  showsCurves(open: boolean): void {
    this.curvesButton.setAttribute("aria-expanded", String(open));
    this.curvesButton.classList.toggle("gg-pressed", open);
    if (!open) this.curvesButton.focus({ preventScroll: true });
  }

  clear(): void {
    this.input.value = "";
    this.events.filter("");
  }

  private key(event: KeyboardEvent): void {
    event.stopPropagation();
    if (event.key === "Escape") this.clear();
    else if (event.key === "ArrowDown" || event.key === "Enter") this.events.enterGrid();
    else return;
    event.preventDefault();
  }

  update(state: ToolbarState): void {
    setText(this.shown, shownText(state));
    this.shown.classList.toggle("gg-hint", state.hint !== null);
    const words = `${plural(state.moved, "row")} moved`;
    drawIfChanged(this.moved, String(state.moved), () =>
      state.moved ? [button(`${words}; sort now`, [words], { class: "gg-l" })] : [],
    );
    const { selected, canRetry, canStop } = state;
    this.curvesButton.hidden = !state.canPlot;
    drawIfChanged(
      this.selection,
      `${selected} ${canRetry} ${canStop}`,
      () => selectionButtons(state) as Node[],
    );
  }
}
