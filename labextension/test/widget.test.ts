import { describe, expect, it } from "vitest";
import widget, { type Model } from "../src/widget";
import { row, scan } from "./kit";

type Callback = (...args: never[]) => void;

class FakeModel implements Model {
  readonly sent: unknown[] = [];
  readonly callbacks = new Map<string, Set<Callback>>();

  constructor(readonly snapshot: unknown) {}

  get(name: string): unknown {
    return name === "snapshot" ? this.snapshot : undefined;
  }

  send(content: unknown): void {
    this.sent.push(content);
  }

  on(name: string, callback: Callback): void {
    this.callbacks.set(name, (this.callbacks.get(name) ?? new Set()).add(callback));
  }

  off(name?: string | null, callback?: Callback | null): void {
    if (name && callback) this.callbacks.get(name)?.delete(callback);
  }

  emit(name: string, data?: unknown): void {
    for (const callback of this.callbacks.get(name) ?? []) callback(data as never);
  }
}

const rows = [row("v0001")];
const snapshot = { type: "snapshot", rev: 1, scan: scan(rows), rows };

describe("the widget", () => {
  it("says hello and draws the saved snapshot at once", () => {
    const model = new FakeModel(JSON.stringify(snapshot));
    const one = widget();
    one.initialize({ model });
    const el = document.createElement("div");
    one.render({ model, el });
    expect(model.sent).toEqual([{ type: "hello", since: 1 }]);
    expect(el.querySelector('.gridgpu-table [data-id="v0001"]')).not.toBeNull();
  });
  it("misses nothing that comes before a view is drawn", () => {
    const model = new FakeModel(snapshot);
    const one = widget();
    one.initialize({ model });
    model.emit("msg:custom", {
      type: "upsert",
      from: 1,
      rev: 2,
      scan: scan(rows),
      rows: [row("v0002")],
    });
    const el = document.createElement("div");
    one.render({ model, el });
    expect(el.querySelectorAll("[data-id]")).toHaveLength(2);
  });
  it("feeds several views and lets each of them go", () => {
    const model = new FakeModel(snapshot);
    const one = widget();
    const end = one.initialize({ model });
    const [a, b] = [document.createElement("div"), document.createElement("div")];
    const leave = one.render({ model, el: a });
    one.render({ model, el: b });
    leave();
    expect([a.childElementCount, b.childElementCount]).toEqual([0, 1]);
    end();
    expect([...model.callbacks.values()].every((set) => set.size === 0)).toBe(true);
  });
  it.each([undefined, null, "", "{", {}, { type: "other" }])(
    "waits when the trait is %j",
    (value) => {
      const model = new FakeModel(value);
      const one = widget();
      one.initialize({ model });
      const el = document.createElement("div");
      one.render({ model, el });
      expect(el.textContent).toContain("Waits for the scan.");
      model.emit("msg:custom", "nonsense");
      model.emit("msg:custom", snapshot);
    },
  );
});
