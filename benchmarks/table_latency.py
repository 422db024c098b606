"""From `report()` in a notebook to the number in the browser's document, and what a table of many rows costs.

    python benchmarks/table_latency.py         # needs pip install '.[test]' and Chromium

Latency: two variants report every 1.3 s in a real JupyterLab; the time of the call against the time at which the cell of
the table changes. Rows: 1,000 and 10,000 made-up rows in a bare page; milliseconds to the document and to the next frame.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser.conftest import ARGUMENTS, CHROMIUM, Lab, run_cell, serve_lab, write_notebook  # noqa: E402

REPORTS = 20
PAGES = 5
TRAIN = [
    "lr = 0.1\nlog = ''",
    "import time\nfrom jupyter_gridgpu import report\n"
    f"for epoch in range({REPORTS}):\n"
    "    time.sleep(1.3)\n"
    "    with open(f'{log}/{lr}.txt', 'a') as file:\n"
    "        file.write(f'{epoch + 1} {time.time()}\\n')\n"
    "    report(epoch=epoch + 1, loss=1.0 / (epoch + 1))",
]
WATCH = """() => {
  window.seen = {};
  const look = () => {
    for (const row of document.querySelectorAll('.gridgpu-table [data-id]')) {
      const epoch = row.querySelector('[data-col="epoch"]')?.textContent ?? '';
      const key = row.dataset.id + ':' + parseInt(epoch);
      window.seen[key] ??= Date.now() / 1000;
    }
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""
PAINT = """async ([count, source]) => {
  const { default: widget } = await import(source);
  const trail = Array.from({ length: 20 }, (_, k) => 1 / (k + 1));
  const states = ['done', 'running', 'queued', 'failed'];
  const row = (i, bump) => ({
    id: 'v' + String(i).padStart(5, '0'), point: i, repeat: 0, params: { lr: 1e-4 * (1 + i % 97), units: 64 << (i % 3) },
    state: states[i % 4], reason: i % 4 === 3 ? 'oom' : null, message: null, cell: null, attempts: 1, step: 10 + bump, steps: 20,
    metrics: { loss: { last: 1 / (1 + i % 50) + bump, min: 0, max: 1, n: 20, trail } },
    value: 1 / (1 + i % 50) + bump, where: null, gpu: null, started: 1, ended: i % 4 === 0 ? 60 : null, notebook: null });
  const scan = { id: 's', name: 'many', notebook: 'n.ipynb', state: 'running', backend: 'local',
    objective: { metric: 'loss', direction: 'minimize', reduction: 'last' }, params: ['lr', 'units'], varied: ['lr', 'units'],
    repeats: null, total: count, counts: { new: 0, queued: 0, running: count, done: 0, failed: 0, cancelled: 0, lost: 0 },
    best: null, best_value: null, created: 1, ended: null, left_s: null, gpu_s: 0, now: 100, folder: '/x', browse: null,
    home: '/', note: null };
  const handlers = [];
  const snapshot = { type: 'snapshot', rev: 1, scan, rows: Array.from({ length: count }, (_, i) => row(i, 0)) };
  const model = { get: () => snapshot,
    send() {}, on: (name, f) => name === 'msg:custom' && handlers.push(f), off() {} };
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const { initialize, render } = widget();
  const el = document.body.appendChild(document.createElement('div'));
  await frame();
  const begin = performance.now();
  initialize({ model }); render({ model, el });
  const painted = performance.now() - begin; await frame(); const shown = performance.now() - begin;
  const updates = [];
  for (let k = 1; k <= 30; k += 1) {
    const rows = Array.from({ length: 10 }, (_, i) => row(i, k));
    await new Promise((done) => setTimeout(done, 7 * (k % 5)));  // messages come at any time between two frames
    const start = performance.now();
    for (const f of handlers) f({ type: 'upsert', from: k, rev: 1 + k, scan, rows });
    await frame(); updates.push(performance.now() - start);
  }
  updates.sort((a, b) => a - b);
  return { painted, shown, update: updates[15] };
}"""


def latency(page: Page, lab: Lab) -> list[float]:
    """Return the seconds from each report to the document."""
    log = tempfile.mkdtemp()
    write_notebook(lab.folder / "train.ipynb", TRAIN, tagged=True)
    cell = f"%%gridscan train.ipynb --minimize loss --parallel 2 --name latency\nlr = [0.1, 0.2]\nlog = {log!r}"
    write_notebook(lab.folder / "scan.ipynb", ["%load_ext jupyter_gridgpu", cell])
    lab.open(page, "scan.ipynb")
    page.evaluate(WATCH)
    run_cell(page, 0)
    run_cell(page, 1)
    page.locator(".gridgpu-table [data-id='v0002'][data-state='done']").wait_for(timeout=120_000)
    seen: dict[str, float] = page.evaluate("() => window.seen")
    return [
        seen[f"{name}:{epoch}"] - told
        for name, epoch, told in _told(Path(log))
        if f"{name}:{epoch}" in seen
    ]


def _told(log: Path) -> list[tuple[str, str, float]]:
    lines = [
        (name, line.split())
        for name, lr in (("v0001", "0.1"), ("v0002", "0.2"))
        for line in (log / f"{lr}.txt").open()
    ]
    return [(name, words[0], float(words[1])) for name, words in lines]


def paints(browser: Browser, count: int) -> dict[str, float]:
    """Medians of PAGES pages, one after another."""
    found = []
    for _ in range(PAGES):
        page = browser.new_page()
        found.append(paint(page, count))
        page.close()
    return {name: round(statistics.median(one[name] for one in found), 1) for name in found[0]}


def paint(page: Page, count: int) -> dict[str, Any]:
    """Return milliseconds for a first paint of `count` rows and for an update of ten of them."""
    static = ROOT / "jupyter_gridgpu" / "widgets" / "static"
    page.route(
        "http://table.test/**", lambda route: route.fulfill(**_file(static, route.request.url))
    )
    page.goto("http://table.test/page.html")
    result: dict[str, Any] = page.evaluate(PAINT, [count, "/table.js"])
    return result


def _file(static: Path, url: str) -> dict[str, str]:
    if url.endswith("table.js"):
        return {"body": (static / "table.js").read_text(), "content_type": "text/javascript"}
    style = (static / "table.css").read_text()
    return {
        "body": f"<!doctype html><style>{style}</style><body style='width:1000px'></body>",
        "content_type": "text/html",
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for count in (1000, 10_000):
            print(json.dumps({"rows": count, **paints(browser, count)}), flush=True)
        (Path(folder) / "work").mkdir()
        (Path(folder) / "home").mkdir()
        with serve_lab(Path(folder) / "work", Path(folder) / "home") as lab:
            seconds = latency(browser.new_page(), lab)
        cuts = statistics.quantiles(seconds, n=10)
        print(
            f"report() to DOM over {len(seconds)} reports: median {statistics.median(seconds):.3f} s, 90 % {cuts[8]:.3f} s"
        )
        browser.close()


if __name__ == "__main__":
    main()
