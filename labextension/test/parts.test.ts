import { afterEach, describe, expect, it } from "vitest";
import { attemptLines, attemptText } from "../src/components/job/attempts";
import { jobTimeLeft, ordinal } from "../src/components/job/jobhead";
import { LogBuffer, MOST_CHARS, MOST_LINES } from "../src/components/log/buffer";
import { RowsByState } from "../src/components/panel/rowsbystate";
import { dayText, inOrder, timeText } from "../src/components/panel/scantimes";
import { causes } from "../src/components/scan/causes";
import { bestIds, least, rankOf } from "../src/components/scan/ranking";
import { askedSentence, retrySentence, stopQuestion } from "../src/components/scan/sentences";
import { paramText } from "../src/components/scan/values";
import { metricsSentence } from "../src/components/table/footer";
import { count, setTranslator, t } from "../src/components/ui/i18n";
import { roughly } from "../src/components/ui/times";
import type { Attempt, Row } from "../src/wire";
import { job } from "./jobkit";
import { row, scan } from "./kit";

const failed = (id: string, reason: string, message: string): Row =>
  row(id, { state: "failed", reason, message });

describe("causes", () => {
  it("group by reason, and errors of notebooks by what they say", () => {
    const found = causes([
      failed("v0001", "oom", "GPU out of memory in cell 7: 14.6 of 15.0 GB used."),
      failed("v0002", "oom", "GPU out of memory in cell 7: 14.7 of 15.0 GB used."),
      failed("v0003", "notebook", "KeyError: 'jet_pt' in cell 5."),
      failed("v0004", "notebook", "ValueError: 3 is too many in cell 5."),
      failed("v0005", "notebook", "ValueError: 4 is too many in cell 6."),
      row("v0006", { state: "lost" }),
      row("v0007"),
    ]);
    expect(found.map(({ text: words, rows }) => `${rows.length} ${words}`)).toEqual([
      "2 GPU out of memory",
      "2 ValueError: 3 is too many in cell 5",
      "1 KeyError: 'jet_pt' in cell 5",
      "1 Lost",
    ]);
    expect(found[2]?.title).toBe("Error in the notebook");
  });
  it("name the reason where the messages differ", () => {
    const found = causes([
      failed("v0001", "node", "Node gpu-14 went away after 11 min."),
      failed("v0002", "node", "Node gpu-15 went away after 2 min."),
    ]);
    expect(found.map(({ text: words }) => words)).toEqual(["Trouble on the machine"]);
  });
  it("are few, however many there are", () => {
    const many = Array.from({ length: 900 }, (_, i) =>
      failed(`v${i}`, "notebook", `E${"x".repeat(i % 300)}: no`),
    );
    const found = causes(many);
    expect(found.length).toBeLessThanOrEqual(12);
    expect(found.reduce((sum, { rows }) => sum + rows.length, 0)).toBe(900);
  });
});

describe("rows by state", () => {
  it("move with their state, and say once which groups have changed", () => {
    const groups = new RowsByState();
    groups.reset([row("v0001", { state: "running" }), row("v0002")]);
    expect(groups.takeChanged("running")).toBe(true);
    expect(groups.takeChanged("running")).toBe(false);
    groups.takeChanged("done", "queued");
    groups.put([row("v0001", { state: "done" })]);
    expect([...groups.get("done").keys()]).toEqual(["v0002", "v0001"]);
    expect(groups.get("running").size).toBe(0);
    expect([
      groups.takeChanged("running"),
      groups.takeChanged("done"),
      groups.takeChanged("queued"),
    ]).toEqual([true, true, false]);
  });
});

describe("the best", () => {
  const rows = [0.3, 0.9, "NaN" as const, 0.5, null].map((value, i) => row(`v000${i}`, { value }));
  it("are found without sorting all", () => {
    expect(least([5, 3, 9, 1, 4], 3, (a, b) => a - b)).toEqual([1, 3, 4]);
    expect(bestIds(rows, scan(rows), 5)).toEqual(["v0001", "v0003", "v0000"]);
    const objective = { metric: "loss", direction: "minimize", reduction: "min" } as const;
    expect(bestIds(rows, scan(rows, { objective }), 2)).toEqual(["v0000", "v0003"]);
  });
  it("have a rank", () => {
    expect(rankOf(rows[3] as Row, rows, scan(rows))).toBe(2);
    expect(rankOf(rows[2] as Row, rows, scan(rows))).toBeNull();
    expect([1, 2, 3, 4, 11, 12, 21, 112].map(ordinal)).toEqual(
      "1st 2nd 3rd 4th 11th 12th 21st 112th".split(" "),
    );
  });
});

describe("days", () => {
  const now = new Date(2026, 2, 12, 15, 0).getTime() / 1000;
  it("are written as near as they are", () => {
    const ago = (days: number): string => dayText(now - days * 86_400, now);
    expect([0, 1, 3, 20, 400].map(ago)).toEqual([
      "15:00",
      "yesterday",
      "Mon",
      "20 Feb",
      "5 Feb 2025",
    ]);
  });
  it("give way to what matters more", () => {
    const state = (more: object): string =>
      timeText(scan([], { created: now - 60, ...more }), now, null);
    expect(state({ state: "paused" })).toBe("paused");
    expect(state({ state: "orphaned" })).toBe("not watched");
    expect(state({ state: "running" })).toBe("since 14:59");
    expect(timeText(scan([], { created: now }), now, now)).toBe("as of 15:00");
  });
  it("put what goes on first and the newest first", () => {
    const one = (id: string, state: "running" | "paused" | "done", created: number) =>
      scan([], { id, state, created, ended: state === "done" ? created : null });
    const { active, ended } = inOrder([
      one("a", "done", 5),
      one("b", "running", 1),
      one("c", "paused", 2),
      one("d", "done", 6),
    ]);
    expect([active, ended].map((all) => all.map(({ id }) => id))).toEqual([
      ["c", "b"],
      ["d", "a"],
    ]);
  });
});

describe("a log in the page", () => {
  it("keeps whole lines clean and the last one open", () => {
    const log = new LogBuffer();
    log.add("one\n\u001b[31mtw");
    log.add("o\u001b[0m\n10 %\r50 %\r90 %");
    expect(log.blocks.map(({ text }) => text)).toEqual(["one\n", "two\n"]);
    expect(log.tail).toBe("90 %");
    expect(log.count).toBe(3);
  });
  it("is bounded in lines and characters", () => {
    const log = new LogBuffer();
    for (let i = 0; i < 40; i += 1) {
      log.add("line\n".repeat(1000));
      log.trim();
    }
    expect(log.count).toBeLessThanOrEqual(MOST_LINES);
    expect(log.dropped).toBe(35);
  });
  it("shows little of a line of 10 MB", () => {
    const log = new LogBuffer();
    log.add("x".repeat(10_000_000));
    expect(log.tail.length).toBeLessThan(2100);
    log.add("\nend\n");
    expect(log.blocks.map(({ text }) => text.length).reduce((a, b) => a + b)).toBeLessThan(2200);
    expect(MOST_CHARS).toBe(1_000_000);
  });
});

describe("words", () => {
  afterEach(() => setTranslator(null));
  it("name the kernel only where it is asked", () => {
    expect(askedSentence("stop", null, "server")).toBe("Asked to stop the scan.");
    expect(askedSentence("stop", null, "kernel")).toBe(
      "Asked to stop the scan; waits until the running cell ends.",
    );
  });
  it("say how much work a stop would end", () => {
    const running = [1, 2].map((i) =>
      row(`v000${i}`, { state: "running", started: 1000, gpu: "A100" }),
    );
    expect(stopQuestion(running, null, 1000 + 1800)?.text).toBe(
      "Stop 2 running jobs? 1.00 GPU-h of unfinished epochs are kept, not continued.",
    );
    expect(stopQuestion([row("v0001", { state: "running" })], 1)?.text).toBe(
      "Stop the scan? 1 running job ends; its epochs so far are kept, not continued.",
    );
  });
  it("count down to the next try", () => {
    expect(retrySentence(108, 100)).toBe("Trying again in 8 s.");
    expect(retrySentence(null, 100)).toBe("");
  });
  it("estimate roughly", () => {
    expect([59 * 60, 7300, 4000, 100_000].map(roughly)).toEqual([
      "59 min",
      "2 h",
      "1 h 10 min",
      "1 d 3 h",
    ]);
    const running = row("v0001", { state: "running", step: 5, steps: 20, started: 0, ended: null });
    expect(jobTimeLeft(running, 300)).toBe("about 15 min left");
    expect(jobTimeLeft({ ...running, step: 0 }, 300)).toBe("");
  });
  it("come in another language once there is a translator", () => {
    setTranslator((text, ...values) => `<${text}|${values.join()}>`);
    expect(t("as of %1", "14:46")).toBe("<as of %1|14:46>");
    setTranslator(null);
    expect(count(2, "%1 job", "%1 jobs")).toBe("2 jobs");
    expect(t("%1 of %2", "%2", "b")).toBe("%2 of b");
  });
  it("write lists as a cell does", () => {
    expect(paramText({ a: [1, "x, \n y"], b: [] })).toBe('{"a": [1, "x, \\n y"], "b": []}');
  });
  it("tell how an attempt went", () => {
    const one: Attempt = {
      ...{ attempt: 1, state: "failed", reason: "node", message: "Node went away after 11 min." },
      ...{
        where: null,
        gpu: null,
        submitted: 0,
        started: 60,
        ended: 720,
        node: null,
        engine_id: null,
        link: null,
      },
    };
    expect(attemptText(one, 999)).toBe("Node went away after 11 min");
    expect(attemptText({ ...one, message: "KeyError." }, 999)).toBe("KeyError, after 11 min");
    expect(attemptText({ ...one, state: "running", ended: null }, 1080)).toBe("running for 17 min");
    expect(attemptText({ ...one, state: "queued", started: null, ended: null }, 60)).toBe(
      "in the queue for 1 min",
    );
  });
  it("link to the batch system's page about an attempt, if it is a web address", () => {
    const [first, second] = job().attempts as [Attempt, Attempt];
    const attempts = [
      { ...first, link: "https://monitor.example/17" },
      { ...second, link: "javascript:alert(1)" },
    ];
    const links = attemptLines(job({ attempts }), 2000).flatMap((line) => [
      ...line.querySelectorAll("a"),
    ]);
    expect(links.map(({ href, rel }) => [href, rel])).toEqual([
      ["https://monitor.example/17", "noopener noreferrer"],
    ]);
  });
});

describe("the way of metrics", () => {
  const words = (more: Partial<ReturnType<typeof scan>>): string =>
    metricsSentence({ ...scan([]), ...more }, 2000);
  it("is said where it is not a disk, with the age of the newest", () => {
    expect(words({ channel: "push", reported: 1988 })).toBe("metrics come by push, 12 s old");
    expect(words({ channel: "drop", reported: null })).toBe("metrics come by drop, none so far");
    expect(words({ channel: "end" })).toBe("metrics arrive when a job ends");
  });
  it("is empty for a disk, an ended scan, and a saved one that does not know", () => {
    expect(words({ channel: "file", reported: 1988 })).toBe("");
    expect(words({ channel: "push", reported: 1988, ended: 1990 })).toBe("");
    expect(metricsSentence(JSON.parse(JSON.stringify({ ended: null })), 2000)).toBe("");
    expect(words({ channel: "push", reported: 3000 })).toBe("metrics come by push, 0 s old");
  });
});
