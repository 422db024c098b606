import axe from "axe-core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ProfileInfo, QueueInfo } from "../src/wire";
import { labelled, panelStage, press } from "./kit";
import { one } from "./panelkit";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function queue(name: string, more: Partial<QueueInfo> = {}): QueueInfo {
  return {
    ...{ name, backend: "slurm", title: "Slurm partition", gpus: [], state: "online" as const },
    ...{ gpus_text: "16 x A100 40 GB", total: 16, free: 3, limits_text: "2 d 0 h, 4 GPUs" },
    limits: { walltime_s: 172800, memory_mb: null, cpus: null, gpus: 4 },
    ...{ runtimes: null, images: null, gpu_only: false, queue: name, account: null, qos: null },
    ...{ constraint: null, rank: 0, default: false, source: "Slurm" },
    ...more,
  };
}

const settled = (): Promise<void> => vi.advanceTimersByTimeAsync(0).then(() => undefined);

async function opened(queues: QueueInfo[], problems: string[] = [], profiles: ProfileInfo[] = []) {
  const stage = panelStage([one("btag")]);
  const answer = { asked: 1000, queues, profiles, problems };
  stage.source.queues.mockImplementation(() => Promise.resolve(answer));
  const head = stage.element.querySelector<HTMLElement>(".gg-queues-hd") as HTMLElement;
  head.click();
  await settled();
  const items = (): string[] =>
    [...stage.element.querySelectorAll(".gg-queues li")].map((item) => item.textContent ?? "");
  return { ...stage, head, items };
}

describe("the queues in the panel", () => {
  it("are followed by the profiles, if there are some", async () => {
    const lab = { name: "lab", backend: "slurm", title: "A100 nodes", options: "--on slurm" };
    const profile = { ...lab, collector: "", source: "/etc/lab.yaml" };
    const { element, items } = await opened(
      [queue("gpu")],
      [],
      [profile, { ...profile, name: "<b>", title: "" }],
    );
    expect(items().slice(1)).toEqual(["labA100 nodes--on slurm", "<b>--on slurm"]);
    expect((labelled(element, "Profiles") as HTMLElement).hidden).toBe(false);
    vi.useRealTimers();
    expect((await axe.run(element)).violations.map(({ id }) => id)).toEqual([]);
    vi.useFakeTimers();
    const alone = await opened([queue("gpu")]);
    expect((labelled(alone.element, "Profiles") as HTMLElement).hidden).toBe(true);
  });
  it("are asked for when somebody wants to see them, and then once a minute", async () => {
    const { head, source, panel } = await opened([queue("gpu")]);
    expect(source.queues).toHaveBeenCalledOnce();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(source.queues).toHaveBeenCalledTimes(2);
    head.click();
    await vi.advanceTimersByTimeAsync(180_000);
    expect(source.queues).toHaveBeenCalledTimes(2);
    head.click();
    panel.dispose();
    expect(vi.getTimerCount()).toBe(0);
  });
  it("say what they have, where, and what is free", async () => {
    const here = { backend: "local", title: "this machine", gpus_text: "none", total: null };
    const { items, element } = await opened([
      queue("gpu", { gpu_only: true }),
      queue("here", { ...here, free: null, limits_text: "" }),
      queue("far", { backend: "panda", title: "MANC", free: null, state: "unknown" }),
    ]);
    expect(items()).toEqual([
      "gpu3/1616 x A100 40 GBSlurm: Slurm partition2 d 0 h, 4 GPUs, only jobs with GPUs",
      "hereno GPUthis machine",
      "far–/1616 x A100 40 GBPanDA: MANC2 d 0 h, 4 GPUs",
    ]);
    const shapes = [...element.querySelectorAll(".gg-queues li [role=img]")];
    expect(shapes.map((shape) => shape.getAttribute("aria-label"))).toEqual([
      ...["online", "online", "unknown"],
    ]);
  });
  it("keep what was shown when the server does not answer", async () => {
    const { items, source, element } = await opened([queue("gpu")]);
    source.queues.mockImplementation(() =>
      Promise.reject(new Error("The server does not answer.")),
    );
    await vi.advanceTimersByTimeAsync(60_000);
    expect(items()).toHaveLength(1);
    expect(element.querySelector(".gg-queues [role=status]")?.textContent).toBe(
      "The server does not answer.",
    );
  });
  it("show what is wrong, and text as text", async () => {
    const { element, items } = await opened(
      [queue("<img src=x onerror=alert(1)>")],
      ["site.yaml, line 3: vram: '40 gigs' is no amount of memory."],
    );
    expect(element.querySelector(".gg-queue-notes")?.textContent).toContain("line 3");
    expect(items()[0]).toContain("<img");
    expect(element.querySelector(".gg-queues img")).toBeNull();
  });
  it("open and close with the keyboard", async () => {
    const { head, element } = await opened([queue("gpu")]);
    labelled(element.querySelector(".gg-queues-body") as HTMLElement, "Queues").focus();
    press("Escape");
    expect(head.getAttribute("aria-expanded")).toBe("false");
    expect(document.activeElement).toBe(head);
  });
  it("are accessible, open and closed", async () => {
    const { head, element } = await opened([queue("gpu"), queue("off", { state: "offline" })]);
    vi.useRealTimers();
    const rules = { "color-contrast": { enabled: false }, region: { enabled: false } };
    expect((await axe.run(element, { rules })).violations).toEqual([]);
    head.click();
    expect((await axe.run(element, { rules })).violations).toEqual([]);
  });
});
