/** One variant, opened below the rows of a table: its reason, parameters, metrics and log. */
import type { Row, ScanInfo } from "../../wire";
import { LogView } from "../log/logview";
import { notebookPath } from "../scan/paths";
import { reasonText } from "../scan/sentences";
import type { ScanStore } from "../scan/store";
import { isActive, NOT_ACTIVE, paramText, toNumber } from "../scan/values";
import { button, drawIfChanged, h, setAttributes, setText } from "../ui/dom";
import { icon } from "../ui/icons";
import { formatAlone, MISSING } from "../ui/numbers";
import { clip, full, own } from "../ui/text";

/** What happens in the pane. */
export interface VariantPaneEvents {
  closed(id: string): void;
}

/** So many metrics are shown. */
const MOST_METRICS = 24;

function assignments(row: Row, scan: ScanInfo): Node[] {
  const names = new Set([...scan.params, ...Object.keys(row.params)]);
  return [...names].map((name) => {
    const label = `${clip(name, 60)} = `;
    if (!isActive(row, name))
      return h("span", { class: "gg-q", title: NOT_ACTIVE }, label, MISSING);
    return h("span", {}, label, h("b", {}, full(paramText(own(row.params, name)))));
  });
}

function metrics(row: Row): Node[] {
  return Object.entries(row.metrics)
    .slice(0, MOST_METRICS)
    .map(([name, { last }]) => {
      const value = toNumber(last);
      const text = value === null ? MISSING : formatAlone(value, 6);
      return h("span", {}, `${clip(name, 60)} `, h("b", {}, text));
    });
}

const gigabytes = (megabytes: number): string => `${(megabytes / 1024).toFixed(1)} GB`;

/** `Uses 1.2 cores, 0.4 GB (at most 0.6 GB), GPU 80 %, 3.1 GB of GPU memory.` */
export function usageSentence(row: Row): string {
  const { cpu, memory_mb: memory, gpu, gpu_memory_mb: gpuMemory } = row.usage ?? {};
  const most = row.peak_mb ? gigabytes(row.peak_mb) : "";
  if (row.state !== "running") return most && `Used at most ${most} of memory.`;
  const used: string[] = [];
  if (cpu !== undefined) used.push(`${cpu.toFixed(1)} cores`);
  if (memory !== undefined) used.push(`${gigabytes(memory)}${most && ` (at most ${most})`}`);
  if (gpu !== undefined) used.push(`GPU ${gpu.toFixed(0)} %`);
  if (gpuMemory !== undefined) used.push(`${gigabytes(gpuMemory)} of GPU memory`);
  return used.length ? `Uses ${used.join(", ")}.` : "";
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

/** The pane. It shows one variant at a time, or nothing. */
export class VariantPane {
  readonly element = h("section", { class: "gg-pane" });
  /** The variant that is shown. */
  id: string | null = null;
  private readonly title = h("b", {});
  private readonly details = h("div", { class: "gg-details" });
  private log: LogView | null = null;

  constructor(
    private readonly store: ScanStore,
    private readonly events: VariantPaneEvents,
  ) {
    const close = button("Close the log", [icon("close")], { class: "gg-i" });
    const space = h("span", { class: "gg-sp" });
    const head = h("div", { class: "gg-pane-hd" }, this.title, space, close);
    this.element.hidden = true;
    this.element.append(head, this.details);
    close.addEventListener("click", () => this.close());
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      // The key has closed the pane; nothing around may take it as well.
      event.stopPropagation();
      this.close();
    });
  }

  open(row: Row, scan: ScanInfo): void {
    this.dispose();
    this.id = row.id;
    this.element.hidden = false;
    setAttributes(this.element, { "aria-label": `Log of ${clip(row.id, 40)}` });
    this.log = new LogView(this.store, row.id);
    this.element.append(this.log.element);
    this.update(row, scan);
  }

  update(row: Row, scan: ScanInfo): void {
    setText(this.title, `${clip(row.id, 40)} ${row.state}`);
    // Only the row changes: the scan adds its folder and the order of its parameters.
    drawIfChanged(this.details, JSON.stringify(row), () => details(row, scan));
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
