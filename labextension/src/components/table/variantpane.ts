/** One variant opened below the grid: why, its parameters in full, and its log. */
import type { Row, ScanInfo } from "../../wire";
import { LogView } from "../log/logview";
import { notebookPath } from "../scan/paths";
import { reasonText } from "../scan/sentences";
import type { ScanStore } from "../scan/store";
import { paramText, toNumber } from "../scan/values";
import { button, drawIfChanged, h, setText } from "../ui/dom";
import { icon } from "../ui/icons";
import { formatAlone } from "../ui/numbers";
import { clip, full, own } from "../ui/text";

export interface PaneEvents {
  closed(id: string): void;
}

function assignments(row: Row, scan: ScanInfo): Node[] {
  const names = [...new Set([...scan.params, ...Object.keys(row.params)])];
  return names
    .filter((name) => Object.hasOwn(row.params, name))
    .map((name) =>
      h("span", {}, `${clip(name, 60)} = `, h("b", {}, full(paramText(own(row.params, name))))),
    );
}

function metrics(row: Row): Node[] {
  return Object.entries(row.metrics)
    .slice(0, 24)
    .map(([name, { last }]) => {
      const value = toNumber(last);
      return h(
        "span",
        {},
        `${clip(name, 60)} `,
        h("b", {}, value === null ? "–" : formatAlone(value, 6)),
      );
    });
}

const gigabytes = (megabytes: number): string => `${(megabytes / 1024).toFixed(1)} GB`;

/** `Uses 1.2 cores, 0.4 GB (at most 0.6 GB), GPU 80 %, 3.1 GB`. */
export function usageSentence(row: Row): string {
  const { cpu, memory_mb, gpu, gpu_memory_mb } = row.usage ?? {};
  const most = row.peak_mb ? gigabytes(row.peak_mb) : "";
  if (row.state !== "running") return most && `Used at most ${most} of memory.`;
  const parts = [
    cpu === undefined ? "" : `${cpu.toFixed(1)} cores`,
    memory_mb === undefined ? "" : `${gigabytes(memory_mb)}${most && ` (at most ${most})`}`,
    gpu === undefined ? "" : `GPU ${gpu.toFixed(0)} %`,
    gpu_memory_mb === undefined ? "" : `${gigabytes(gpu_memory_mb)} of GPU memory`,
  ].filter(Boolean);
  return parts.length ? `Uses ${parts.join(", ")}.` : "";
}

function details(row: Row, scan: ScanInfo): (Node | null)[] {
  const reason = row.message ?? (row.reason ? reasonText(row.reason) : null);
  const path = notebookPath(row, scan);
  const known = metrics(row);
  const usage = usageSentence(row);
  return [
    reason ? h("div", {}, full(reason)) : null,
    h("div", { class: "gg-c gg-pairs" }, ...assignments(row, scan)),
    known.length ? h("div", { class: "gg-c gg-pairs gg-q" }, ...known) : null,
    usage ? h("div", { class: "gg-q" }, usage) : null,
    path ? h("div", { class: "gg-c gg-q gg-path" }, full(path)) : null,
  ];
}

export class VariantPane {
  readonly element = h("section", { class: "gg-pane" });
  id: string | null = null;
  private readonly title = h("b", {});
  private readonly details = h("div", { class: "gg-details" });
  private log: LogView | null = null;

  constructor(
    private readonly store: ScanStore,
    private readonly events: PaneEvents,
  ) {
    const close = button("Close the log", [icon("close")], { class: "gg-i" });
    const head = h(
      "div",
      { class: "gg-pane-hd" },
      this.title,
      h("span", { class: "gg-sp" }),
      close,
    );
    this.element.hidden = true;
    this.element.append(head, this.details);
    close.addEventListener("click", () => this.close());
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.close();
    });
  }

  open(row: Row, scan: ScanInfo): void {
    this.dispose();
    this.id = row.id;
    this.element.hidden = false;
    this.element.setAttribute("aria-label", `Log of ${clip(row.id, 40)}`);
    this.log = new LogView(this.store, row.id);
    this.element.append(this.log.element);
    this.update(row, scan);
  }

  update(row: Row, scan: ScanInfo): void {
    setText(this.title, `${clip(row.id, 40)} ${row.state}`);
    drawIfChanged(this.details, JSON.stringify(row), () => details(row, scan) as Node[]);
  }

  close(): void {
    const { id } = this;
    this.dispose();
    this.id = null;
    this.element.hidden = true;
    if (id !== null) this.events.closed(id);
  }

  dispose(): void {
    this.log?.dispose();
    this.log?.element.remove();
    this.log = null;
  }
}
