import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { LogText } from "../src/wire";
import { jobStage, running } from "./jobkit";
import { labelled, later } from "./kit";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("the log of a job", () => {
  const part = (text: string, start: number, size = start + text.length): LogText => ({
    ...{ type: "log", variant: "v0051.2", text, start, end: start + text.length, size },
  });
  const log = (element: HTMLElement): string => element.querySelector("pre")?.textContent ?? "";

  it("goes on from where it ended while the job runs", () => {
    const { element, link, asked } = jobStage([running()]);
    expect(asked("log")).toEqual([{ type: "log", variant: "v0051.2" }]);
    link.give(part("one\ntw", 100));
    later(1100);
    expect(asked("log")[1]).toEqual({ type: "log", variant: "v0051.2", start: 106 });
    link.give(part("o\n", 106));
    expect(log(element)).toBe("one\ntwo\n");
    expect(element.textContent).toContain("last 2 lines of 1 kB");
  });
  it("asks no more than once at a time, and not after the end", () => {
    const { link, asked, give } = jobStage([running()]);
    later(5000);
    expect(asked("log")).toHaveLength(1);
    link.give(part("one\n", 0));
    give([running({ state: "done", ended: 1500 })]);
    later(1100);
    link.give(part("", 4));
    const count = asked("log").length;
    later(10_000);
    expect(asked("log")).toHaveLength(count);
  });
  it("shows a traceback as plain text, without colours and without HTML", () => {
    const { element, link } = jobStage([running({ state: "failed", ended: 1500 })]);
    const text =
      "\u001b[0;31m------\u001b[0m\n" +
      "\u001b[0;31mValueError\u001b[0m  Traceback (most recent call last)\n" +
      "\u001b[0;32m----> 1\u001b[0m f(\u001b[38;5;28m'<b>x</b>'\u001b[39m)\n" +
      "\nValueError: <img src=x>\n";
    link.give(part(text, 0));
    expect(log(element)).toBe(
      "------\nValueError  Traceback (most recent call last)\n" +
        "----> 1 f('<b>x</b>')\n\nValueError: <img src=x>\n",
    );
    expect(element.querySelector("pre b, pre img")).toBeNull();
  });
  it("does not read while nobody looks", () => {
    const { link, asked, element } = jobStage([running()]);
    link.give(part("one\n", 0));
    element.remove();
    later(10_000);
    expect(asked("log")).toHaveLength(1);
  });
  it("ignores parts that another view has asked for", () => {
    const { link, element } = jobStage([running()]);
    link.give(part("start", 0, 900));
    expect(log(element)).toBe("");
    link.give(part("end", 897, 900));
    link.give(part("start", 0, 900));
    expect(log(element)).toBe("end");
  });
  it("opens all from the start, part by part", () => {
    const { link, asked, element } = jobStage([running()]);
    link.give(part("end\n", 6));
    labelled(element, "open all").click();
    expect(asked("log").at(-1)).toEqual({ type: "log", variant: "v0051.2", start: 0 });
    link.give(part("first\n", 0, 10));
    expect(asked("log").at(-1)).toEqual({ type: "log", variant: "v0051.2", start: 6 });
    link.give(part("end\n", 6));
    expect(log(element)).toBe("first\nend\n");
    expect(element.textContent).toContain("2 lines");
  });
  it("stops at 5,000 lines of a long one, and goes back to the end", () => {
    const { link, asked, element } = jobStage([running()]);
    const size = 50_000_000;
    link.give(part("end\n", size - 4));
    labelled(element, "open all").click();
    for (let start = 0; start < 80_000; start += 10_000)
      link.give(part("line\n".repeat(2000), start, size));
    const count = asked("log").length;
    later(5000);
    expect(asked("log")).toHaveLength(count);
    expect(log(element).split("\n").length).toBeLessThan(6100);
    labelled(element, "to the end").click();
    expect(asked("log").at(-1)).toEqual({ type: "log", variant: "v0051.2" });
  });
  it("begins anew when a new attempt writes a shorter one", () => {
    const { link, element, asked } = jobStage([running()]);
    link.give(part("old\n", 500));
    later(1100);
    link.give(part("n", 0, 1));
    expect(asked("log").at(-1)).toEqual({ type: "log", variant: "v0051.2" });
    link.give(part("new\n", 0));
    expect(log(element)).toBe("new\n");
  });
  it("does not mix a new attempt with the old one, however long it is", () => {
    const { link, element, asked, give } = jobStage([running()]);
    link.give(part("attempt 2: failed\n", 0));
    give([running({ attempts: 3 })]);
    later(1100);
    expect(asked("log").at(-1)).toEqual({ type: "log", variant: "v0051.3" });
    link.give(part("attempt 2 goes on\n", 18));
    link.give({ ...part("attempt 3: epoch 1\nepoch 2\n", 0), variant: "v0051.3" });
    expect(log(element)).toBe("attempt 3: epoch 1\nepoch 2\n");
  });
  it("shows a log whose last character is not whole", () => {
    const { link, element } = jobStage([running()]);
    link.give(part("hello\n50%|", 0, 12));
    expect(log(element)).toBe("hello\n50%|");
  });
  it("says in its place why it cannot be read", () => {
    const { link, element } = jobStage([running()]);
    const text = "The log of v0051.2 is no plain file.";
    link.give({ type: "refused", what: "log", variant: "v0051.2", text });
    expect(log(element)).toBe(text);
  });
  it("shows control characters, tags and 10 MB lines as a little text", () => {
    const { link, element } = jobStage([running()]);
    link.give(part(`\u001b[31m<script>alert(1)</script>\u0007\n${"x".repeat(10_000_000)}\n`, 0));
    expect(element.querySelector("script")).toBeNull();
    expect(log(element).length).toBeLessThan(5000);
  });
  it("waits for the running cell only in a kernel", () => {
    const words = "it comes when the running cell ends";
    expect(jobStage([running()], {}, "kernel").element.textContent).toContain(words);
    expect(jobStage([running()]).element.textContent).not.toContain(words);
  });
});
