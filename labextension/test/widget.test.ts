import { describe, expect, it } from "vitest";
import widget from "../src/widget";
import { FakeModel } from "./fakemodel";
import { row, scan } from "./kit";

const rows = [row("v0001")];
const snapshot = { type: "snapshot", rev: 1, scan: scan(rows), rows };

describe("the widget", () => {
  it("says hello and draws the saved snapshot at once", () => {
    const model = new FakeModel({ snapshot: JSON.stringify(snapshot) });
    const one = widget();
    one.initialize({ model });
    const el = document.createElement("div");
    one.render({ model, el });
    expect(model.sent).toEqual([{ type: "hello", since: 1 }]);
    expect(el.querySelector('.gridgpu-table [data-id="v0001"]')).not.toBeNull();
  });
  it("misses nothing that comes before a view is drawn", () => {
    const model = new FakeModel({ snapshot });
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
    const model = new FakeModel({ snapshot });
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
      const model = new FakeModel({ snapshot: value });
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
