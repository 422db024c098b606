"""How fast a reading comes into the table in the browser, and how long many rows take to draw.

    python benchmarks/table_latency.py         # needs pip install '.[test]' and Chromium

Latency: two variants report every 1.3 s in a real JupyterLab. The time of each call of `report()`
is compared with the time at which the cell of the table changes.

Rows: a bare page shows 1,000 and 10,000 made-up rows. Times are milliseconds to the document and to
the next frame.
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
# The tests are no part of the package that is installed.
sys.path.insert(0, str(ROOT))

from tests.browser.conftest import (  # noqa: E402
    ARGUMENTS,
    CHROMIUM,
    Lab,
    run_cell,
    serve_lab,
    write_notebook,
)

REPORTS = 20
PAGES = 5
VARIANTS = {"v0001": "0.1", "v0002": "0.2"}  # id -> its lr
# The notebook notes the time of each report in a file, LOG/LR.txt.
TRAIN = [
    "lr = 0.1\nlog = ''",
    "import time\n"
    "from jupyter_gridgpu import report\n"
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
  const everything = { subtree: true, childList: true, characterData: true };
  new MutationObserver(look).observe(document.body, everything);
}"""
PAINT = """async ([count, source]) => {
  const { default: widget } = await import(source);
  const trail = Array.from({ length: 20 }, (_, index) => 1 / (index + 1));
  const states = ['done', 'running', 'queued', 'failed'];
  const loss = (index, bump) => 1 / (1 + index % 50) + bump;
  const row = (index, bump) => ({
    id: 'v' + String(index).padStart(5, '0'), point: index, repeat: 0,
    params: { lr: 1e-4 * (1 + index % 97), units: 64 << (index % 3) },
    state: states[index % 4], reason: index % 4 === 3 ? 'oom' : null, message: null, cell: null,
    attempts: 1, step: 10 + bump, steps: 20,
    metrics: { loss: { last: loss(index, bump), min: 0, max: 1, n: 20, trail } },
    value: loss(index, bump), where: null, gpu: null, started: 1,
    ended: index % 4 === 0 ? 60 : null, notebook: null,
  });
  const scan = {
    id: 's', name: 'many', notebook: 'n.ipynb', state: 'running', backend: 'local',
    objective: { metric: 'loss', direction: 'minimize', reduction: 'last' },
    params: ['lr', 'units'], varied: ['lr', 'units'], repeats: null, total: count,
    counts: { new: 0, queued: 0, running: count, done: 0, failed: 0, cancelled: 0, lost: 0 },
    best: null, best_value: null, created: 1, ended: null, left_s: null, gpu_s: 0, now: 100,
    folder: '/x', browse: null, home: '/', note: null,
  };
  const rows = Array.from({ length: count }, (_, index) => row(index, 0));
  const snapshot = { type: 'snapshot', rev: 1, scan, rows };
  const handlers = [];
  const model = {
    get: () => snapshot, send() {}, off() {},
    on: (name, handler) => name === 'msg:custom' && handlers.push(handler),
  };
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const { initialize, render } = widget();
  const el = document.body.appendChild(document.createElement('div'));
  await frame();
  const begin = performance.now();
  initialize({ model });
  render({ model, el });
  const painted = performance.now() - begin;
  await frame();
  const shown = performance.now() - begin;
  const updates = [];
  for (let round = 1; round <= 30; round += 1) {
    const changed = Array.from({ length: 10 }, (_, index) => row(index, round));
    // Messages come at any time between two frames.
    await new Promise((done) => setTimeout(done, 7 * (round % 5)));
    const start = performance.now();
    const upsert = { type: 'upsert', from: round, rev: 1 + round, scan, rows: changed };
    for (const handler of handlers) handler(upsert);
    await frame();
    updates.push(performance.now() - start);
  }
  updates.sort((a, b) => a - b);
  return { painted, shown, update: updates[15] };
}"""


def latencies(page: Page, lab: Lab) -> list[float]:
    """Return the seconds from each report to the document."""
    log = tempfile.mkdtemp()
    write_notebook(lab.folder / "train.ipynb", TRAIN, tagged=True)
    cell = (
        "%%gridscan train.ipynb --minimize loss --parallel 2 --name latency\n"
        "lr = [0.1, 0.2]\n"
        f"log = {log!r}"
    )
    write_notebook(lab.folder / "scan.ipynb", ["%load_ext jupyter_gridgpu", cell])
    lab.open(page, "scan.ipynb")
    # The watch begins before the first row is there.
    page.evaluate(WATCH)
    run_cell(page, 0)
    run_cell(page, 1)
    page.locator(".gridgpu-table [data-id='v0002'][data-state='done']").wait_for(timeout=120_000)
    seen: dict[str, float] = page.evaluate("() => window.seen")
    reported = _report_times(Path(log))
    # A report may be missing in the table, if the next one came before it was drawn.
    return [seen[key] - moment for key, moment in reported.items() if key in seen]


def _report_times(log: Path) -> dict[str, float]:
    """Return when each report was made, by VARIANT:EPOCH, in seconds since the epoch."""
    times = {}
    for variant, lr in VARIANTS.items():
        for line in (log / f"{lr}.txt").read_text().splitlines():
            epoch, moment = line.split()
            times[f"{variant}:{epoch}"] = float(moment)
    return times


def median_paint(browser: Browser, count: int) -> dict[str, float]:
    """Return the medians of PAGES pages with `count` rows, opened one after another."""
    found = []
    for _ in range(PAGES):
        # A page that has drawn a table before would draw the next one faster.
        page = browser.new_page()
        found.append(paint(page, count))
        page.close()
    return {name: round(statistics.median(times[name] for times in found), 1) for name in found[0]}


def paint(page: Page, count: int) -> dict[str, float]:
    """Return milliseconds for a first paint of `count` rows and for an update of ten of them."""
    static = ROOT / "jupyter_gridgpu" / "widgets" / "static"
    page.route(
        "http://table.test/**", lambda route: route.fulfill(**_answer(static, route.request.url))
    )
    page.goto("http://table.test/page.html")
    times: dict[str, float] = page.evaluate(PAINT, [count, "/table.js"])
    return times


def _answer(static: Path, url: str) -> dict[str, Any]:
    """Return what a server would answer: the widget's code, or a page with its styles."""
    if url.endswith("table.js"):
        return {"body": (static / "table.js").read_text(), "content_type": "text/javascript"}
    style = (static / "table.css").read_text()
    html = f"<!doctype html><style>{style}</style><body style='width:1000px'></body>"
    return {"body": html, "content_type": "text/html"}


def main() -> None:
    """Time the rows in a bare page, and then the latency in JupyterLab."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for count in (1000, 10_000):
            print(json.dumps({"rows": count, **median_paint(browser, count)}), flush=True)
        work = Path(folder) / "work"
        home = Path(folder) / "home"
        work.mkdir()
        home.mkdir()
        with serve_lab(work, home) as lab:
            seconds = latencies(browser.new_page(), lab)
        tenths = statistics.quantiles(seconds, n=10)
        print(
            f"report() to DOM over {len(seconds)} reports:"
            f" median {statistics.median(seconds):.3f} s, 90 % {tenths[8]:.3f} s"
        )
        browser.close()


if __name__ == "__main__":
    main()
