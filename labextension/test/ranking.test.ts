/** Several objectives, and ranking by another metric. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  bestInMetric,
  frontOf,
  objectivesText,
  offeredObjectives,
  rankedScan,
} from "../src/components/scan/ranking";
import { savedOutput } from "../src/lab/savedoutput";
import type { ObjectiveInfo, Row, ScanInfo } from "../src/wire";
import { jobStage } from "./jobkit";
import { labelled, later, metric, panelStage, press, row, scan, stage, type Stage } from "./kit";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const LIGHT: ObjectiveInfo = { metric: "light", direction: "maximize", reduction: "max" };
const LOSS: ObjectiveInfo = { metric: "loss", direction: "minimize", reduction: "last" };
const pair = (id: string, light: number, loss: number, more: Partial<Row> = {}): Row =>
  row(id, {
    metrics: {
      light: { ...metric(light / 2, light), max: light },
      loss: metric(2 * loss, loss),
      extra: metric(light + 10 * loss),
    },
    ...{ value: null, values: [light, loss], point: Number(id.slice(1)) - 1, ...more },
  });
/** The front is v0001, v0003 and v0004; in `extra` v0002 is the best. */
const rows = (): Row[] => [
  pair("v0001", 50, 0.1),
  pair("v0002", 40, 9),
  pair("v0003", 90, 0.4),
  pair("v0004", 70, 0.2),
  pair("v0005", 95, 0.05, { state: "running", ended: null }),
];
const front: Partial<ScanInfo> = {
  objective: null,
  objectives: [LIGHT, LOSS],
  pareto: ["v0001", "v0003", "v0004"],
};

const menu = (element: HTMLElement): HTMLElement[] => {
  element.querySelector<HTMLElement>(".gg-rank > button")?.click();
  return [...element.querySelectorAll<HTMLElement>(".gg-rank [role=menuitemradio]")];
};
const choose = (element: HTMLElement, text: string): void => {
  const found = menu(element).find((one) => one.textContent === text);
  if (!found) throw new Error(`nothing offers ${text}`);
  found.click();
};
const marked = ({ ids, row: find }: Stage): (string | undefined)[] =>
  ids().filter((id) => find(id ?? "").hasAttribute("data-best"));

describe("a table with several objectives", () => {
  it("has their columns first, without bars of a single best", () => {
    const { element } = stage(rows(), front);
    const hooks = [...element.querySelectorAll<HTMLElement>("[role=columnheader]")].map(
      (one) => one.dataset["col"] ?? "",
    );
    const first = hooks.indexOf("metric:light");
    expect(hooks.slice(first, first + 4)).toEqual([
      ...["metric:light", "curve:light", "metric:loss", "curve:loss"],
    ]);
    expect(hooks).not.toContain("best");
    const head = element.querySelector<HTMLElement>('[role=columnheader][data-col="metric:loss"]');
    expect(head?.title).toBe("loss, last value, minimized");
  });
  it("marks the front in words and puts it first", () => {
    const made = stage(rows(), front);
    expect(made.ids()).toEqual(["v0003", "v0004", "v0001", "v0005", "v0002"]);
    expect(marked(made)).toEqual(["v0003", "v0004", "v0001"]);
    const word = "on the Pareto front: nothing is as good in all objectives and better in one";
    const cell = made.row("v0004").querySelector<HTMLElement>('[data-col="id"]');
    expect(cell?.title).toBe(word);
    expect(cell?.querySelector("[role=img]")?.getAttribute("aria-label")).toBe(
      "on the Pareto front",
    );
    expect(made.cell("v0003", "metric:loss")).toBe("0.4000");
    const sorted = made.element.querySelectorAll('[aria-sort$="ending"]');
    expect(sorted).toHaveLength(0);
  });
  it("says in its head how many are on the front, and what is wanted", () => {
    const { element } = stage(rows(), front);
    expect(element.querySelector(".gg-hd")?.textContent).toContain(
      "front of 3maximize max(light), minimize loss",
    );
    labelled(element, "front of 3: go to the Pareto front").click();
    expect((document.activeElement as HTMLElement).dataset["id"]).toBe("v0001");
  });
  it("sorts by one of them as it is wanted, and by the front again", () => {
    const { element, ids } = stage(rows(), front);
    element.querySelector<HTMLElement>('[role=columnheader][data-col="metric:loss"]')?.click();
    expect(ids()[0]).toBe("v0005");
    choose(element, "as in the scan: maximize max(light), minimize loss");
    expect(ids()[0]).toBe("v0003");
  });
  it("waits for the first values without a front", () => {
    const none = row("v0001", { state: "running", values: [null, null], value: null, metrics: {} });
    const { element, ids } = stage([none], { ...front, pareto: [] });
    expect(ids()).toEqual(["v0001"]);
    expect(element.textContent).not.toContain("front of");
  });
  it("says why a variant has no values, and those of one that failed", () => {
    const why = { state: "failed" as const, message: "Out of memory.", reason: "oom" };
    const made = stage([pair("v0001", 50, 0.1), pair("v0002", 40, 9, why)], front);
    const cell = made.row("v0002").querySelector<HTMLElement>('[data-col="metric:light"]');
    expect(cell?.textContent).toBe("Out of memory");
    expect(cell?.title).toBe("Out of memory; value so far light 40, loss 9");
  });
  it("marks the group of a point on the front, with means", () => {
    const seeds = [0, 1].map((i) => pair(`v000${i + 1}`, 50 + i, 0.1, { point: 0, repeat: i }));
    const made = stage([...seeds, pair("v0003", 40, 9, { point: 1 })], {
      ...{ ...front, pareto: ["v0001", "v0002"], repeats: "seed" },
    });
    expect(made.ids()).toEqual(["p0000", "v0003"]);
    expect(marked(made)).toEqual(["p0000"]);
    expect(made.cell("p0000", "metric:light")).toBe("50.50 ± 0.71 (2)");
  });
});

describe("the menu 'Rank by'", () => {
  it("offers each metric in both directions, the scan's own first", () => {
    const { element } = stage(rows(), front);
    expect(menu(element).map((one) => one.textContent)).toEqual([
      "as in the scan: maximize max(light), minimize loss",
      ...["maximize max(light)", "minimize light", "minimize loss", "maximize loss"],
      ...["maximize extra", "minimize extra"],
    ]);
    const checked = element.querySelectorAll('[aria-checked="true"]');
    expect([...checked].map((one) => one.textContent?.slice(0, 14))).toEqual(["as in the scan"]);
  });
  it("changes order, mark, head and curves, and sends nothing", () => {
    const made = stage(rows(), front);
    const sent = made.link.sent.length;
    choose(made.element, "maximize extra");
    expect(made.ids()).toEqual(["v0002", "v0005", "v0003", "v0004", "v0001"]);
    expect(marked(made)).toEqual(["v0002"]);
    expect(made.element.querySelector(".gg-hd")?.textContent).toContain("130best extra, v0002");
    const hooks = [...made.element.querySelectorAll<HTMLElement>("[role=columnheader]")].map(
      (one) => one.dataset["col"],
    );
    expect(hooks.indexOf("curve:extra")).toBeLessThan(hooks.indexOf("metric:light"));
    expect(made.element.querySelector('[data-best] [aria-label="best"]')).not.toBeNull();
    expect(made.element.querySelector("[aria-live]")?.textContent).toBe(
      "Ranked by maximize extra; the best is v0002",
    );
    expect(made.link.sent).toHaveLength(sent);
    const button = labelled(made.element, "Rank by extra: maximize extra");
    expect(document.activeElement).toBe(button);
  });
  it("goes on with rows that come later, and comes back", () => {
    const made = stage(rows(), front);
    choose(made.element, "minimize light");
    expect(marked(made)).toEqual(["v0002"]);
    made.upsert([pair("v0006", 30, 0.3)]);
    expect(made.ids()[0]).toBe("v0006");
    expect(marked(made)).toEqual(["v0006"]);
    choose(made.element, "as in the scan: maximize max(light), minimize loss");
    expect(made.ids().slice(0, 3)).toEqual(["v0003", "v0004", "v0001"]);
    expect(made.store.rows.get("v0006")?.values).toEqual([30, 0.3]);
  });
  it("gives a scan without an objective one, and is not there before a metric is", () => {
    const first = row("v0001", { metrics: {}, value: null, state: "running" });
    const made = stage([first], { objective: null });
    const rank = made.element.querySelector<HTMLElement>(".gg-rank");
    expect(rank?.hidden).toBe(true);
    made.upsert([row("v0001", { value: null }), row("v0002", { value: null, metrics: {} })]);
    expect(rank?.hidden).toBe(false);
    expect(menu(made.element)[0]?.textContent).toBe("as in the scan: no objective");
    menu(made.element);
    choose(made.element, "minimize acc");
    expect(marked(made)).toEqual(["v0001"]);
    expect(made.cell("v0001", "metric:acc")).toBe("0.9000");
  });
  it("is used by keys alone, and closes with Escape", () => {
    const { element, ids } = stage(rows(), front);
    const button = element.querySelector<HTMLElement>(".gg-rank > button");
    button?.focus();
    button?.click();
    expect(document.activeElement?.getAttribute("aria-checked")).toBe("true");
    press("Escape");
    expect(document.activeElement).toBe(button);
    button?.click();
    press("ArrowDown");
    press("ArrowDown");
    expect(document.activeElement?.textContent).toBe("minimize light");
    (document.activeElement as HTMLElement).click();
    expect(ids()[0]).toBe("v0002");
  });
  it("makes a low table higher while it is open, since an output would cut it off", () => {
    const { element } = stage(rows(), front);
    vi.spyOn(Element.prototype, "getBoundingClientRect").mockImplementation(function (
      this: Element,
    ) {
      return new DOMRect(0, 0, 0, this.classList.contains("gg-popup") ? 300 : 200);
    });
    menu(element);
    expect(element.style.paddingBottom).toBe("100px");
    press("Escape");
    expect(element.style.paddingBottom).toBe("");
    vi.restoreAllMocks();
  });
  it("takes a single objective the other way round", () => {
    const own: ObjectiveInfo = { metric: "acc", direction: "maximize", reduction: "max" };
    const offered = offeredObjectives(scan([], { objective: own }), ["acc", "x"]);
    expect(
      offered.map(({ metric: name, direction, reduction }) => [name, direction, reduction]),
    ).toEqual([
      ["acc", "maximize", "max"],
      ["acc", "minimize", "last"],
      ["x", "maximize", "last"],
      ["x", "minimize", "last"],
    ]);
  });
  it("never ranks what is not done or no number first", () => {
    const odd = [
      row("v0001", { value: "NaN" }),
      row("v0002", { value: 3, state: "running" }),
      row("v0003", { value: "Infinity" }),
      row("v0004", { value: 2, state: "failed" }),
      row("v0005", { value: null }),
    ];
    const up: ObjectiveInfo = { metric: "x", direction: "maximize", reduction: "last" };
    expect(rankedScan(scan(odd), odd, up).best).toBe("v0003");
    expect(rankedScan(scan(odd), odd.slice(0, 2), up).best).toBeNull();
  });
});

describe("a panel with several objectives", () => {
  const told: [ScanInfo, Row[]] = [scan(rows(), { ...front, now: 1e10 }), rows()];
  it("has the front in the place of the best", () => {
    const { line, lines, element } = panelStage([told]);
    expect(line("btag").textContent).toContain("front of 3");
    line("btag").click();
    later(20);
    expect(element.textContent).toContain("Pareto front: 3 of 4 donelight, loss");
    expect(lines().filter((text) => text.includes("front9"))).toEqual(["v0003front90.00, 0.4000"]);
    expect(lines()).toContain("1 more done");
    expect(element.querySelectorAll('[title^="on the Pareto front"]')).toHaveLength(3);
  });
  it("ranks by another metric, which the table of the scan follows", () => {
    const { line, lines, element, source } = panelStage([told]);
    line("btag").click();
    later(20);
    choose(element, "maximize extra");
    later(20);
    expect(line("btag").textContent).not.toContain("front of");
    expect(line("btag").textContent).toContain("130.0");
    expect(lines()).toContain("v0002best130.0");
    expect(source.open("s1").scan?.best).toBe("v0002");
  });
  it("reaches the menu with the arrow keys", () => {
    const { line, element } = panelStage([told]);
    line("btag").click();
    later(20);
    labelled(element, "Table").focus();
    for (let i = 0; i < 5; i += 1) press("ArrowRight");
    expect(document.activeElement?.textContent).toBe("Rank by");
  });
});

describe("a job and its curves with several objectives", () => {
  const opened = row("v0051", pair("v0001", 60, 0.3));
  const show = (pareto: string[]): HTMLElement => {
    const { element, give } = jobStage([...rows(), { ...opened, id: "v0051" }]);
    give([], { ...front, pareto, best: null, best_value: null });
    return element;
  };
  it("say all values, and whether the job is on the front", () => {
    const facts = (pareto: string[]): string | null | undefined =>
      show(pareto).querySelector(".gg-facts > div")?.textContent;
    expect(facts(["v0001", "v0003"])).toBe("60 light, 0.3000 loss, not on the Pareto front");
    expect(facts(["v0051"])).toBe("60 light, 0.3000 loss, on the Pareto front of 1");
  });
  it("compare with the one of the front that is best in the metric", () => {
    const element = show(["v0001", "v0003", "v0004"]);
    expect(element.querySelector(".gg-line-best")).not.toBeNull();
    expect(element.textContent).toContain("3 of the front of 3; strong: best in light");
    const info = scan(rows(), front);
    const all = new Map(rows().map((one) => [one.id, one]));
    expect(bestInMetric(info, "light", all)).toBe("v0003");
    expect(bestInMetric(info, "loss", all)).toBe("v0001");
    expect(bestInMetric(info, "extra", all)).toBeNull();
  });
});

describe("a saved output with several objectives", () => {
  it("is read by type, and one without them has none", () => {
    const info = { ...scan(rows(), front), pareto: ["v0001", 3], objectives: [LIGHT, "x", LOSS] };
    const odd = [{ ...pair("v0001", 1, 2), values: [1, "x", "NaN"] }, row("v0002")];
    const data = { id: "s1", snapshot: { type: "snapshot", rev: 1, scan: info, rows: odd } };
    const read = savedOutput(data)?.snapshot;
    expect(read && [...frontOf(read.scan)]).toEqual(["v0001"]);
    expect(read && objectivesText(read.scan)).toBe("maximize max(light), minimize loss");
    expect(read?.rows.map(({ values }) => values)).toEqual([[1, null, "NaN"], undefined]);
    const plain = { ...data, snapshot: { ...data.snapshot, scan: scan([]) } };
    expect(savedOutput(plain)?.snapshot?.scan.pareto).toBeUndefined();
  });
});
