"""How fast the side panel is with 50 scans, one of them opened with 10,000 jobs.

    python benchmarks/panel_paint.py           # needs npm ci and Chromium

A bare page has the panel's components and made-up scans. The times are milliseconds for the first
paint and for an update of ten rows: from the data to the document, and to the next frame.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
# The tests are no part of the package that is installed.
sys.path.insert(0, str(ROOT))

from tests.browser.conftest import ARGUMENTS, CHROMIUM  # noqa: E402

ENTRY = """
import "./labextension/src/index.css";
export { Panel } from "./labextension/src/components/panel/panel";
export { ScanStore } from "./labextension/src/components/scan/store";
"""
MEASURE = """async ([jobs]) => {
  const { Panel, ScanStore } = await import('/entry.js');
  const states = ['done', 'running', 'queued', 'failed'];
  const trail = Array.from({ length: 20 }, (_, index) => 1 / (index + 1));
  const loss = (index, bump) => 1 / (1 + index % 50) + bump;
  const row = (index, bump) => ({
    id: 'v' + String(index).padStart(5, '0'), point: index, repeat: 0,
    params: { lr: 1e-4 * (1 + index % 97) }, state: states[index % 4],
    reason: index % 4 === 3 ? 'oom' : null, message: null, cell: null, attempts: 1,
    step: 10, steps: 20, value: loss(index, bump),
    metrics: { loss: { last: loss(index, bump), min: 0, max: 1, n: 20, trail } },
    where: null, gpu: null, started: 1, ended: index % 4 === 0 ? 60 : null, notebook: null,
    peak_mb: null, usage: {},
  });
  const part = jobs / 4;
  const scan = (number) => ({
    id: 's' + number, name: 'scan-' + number, notebook: 'n.ipynb',
    state: number < 5 ? 'running' : 'done', backend: 'local',
    objective: { metric: 'loss', direction: 'minimize', reduction: 'last' },
    params: ['lr'], varied: ['lr'], repeats: null, total: jobs,
    counts: {
      new: 0, queued: part, running: part, done: part, failed: part, cancelled: 0, lost: 0,
    },
    best: null, best_value: null, created: 100 - number, ended: number < 5 ? null : 90,
    left_s: null, gpu_s: 0, now: 100, folder: '/x', browse: null, home: '/', note: null,
  });
  const scans = new Map(Array.from({ length: 50 }, (_, n) => ['s' + n, scan(n)]));
  let give = () => undefined;
  const link = {
    peer: 'server', send() {}, subscribe(listener) { give = listener; return () => undefined; },
  };
  const store = new ScanStore(link);
  const source = {
    scans, closed: false, received: 100, on: () => () => undefined, open: () => store,
    release() {}, tryNow() {}, runnerLog: () => Promise.resolve(''),
    queues: () => Promise.resolve({ queues: [], problems: [] }),
  };
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const panel = new Panel(source, { scanNotebook() {}, openTable() {} });
  document.body.append(panel.element);
  await frame();
  panel.element.querySelector('[role=treeitem]').click();
  await frame();
  const rows = Array.from({ length: jobs }, (_, index) => row(index, 0));
  const begin = performance.now();
  give({ type: 'snapshot', rev: 1, scan: scan(0), rows });
  panel.flush();
  const painted = performance.now() - begin;
  await frame();
  const shown = performance.now() - begin;
  const work = [];
  const updates = [];
  for (let round = 1; round <= 30; round += 1) {
    const changed = Array.from({ length: 10 }, (_, index) => row(index, round));
    const start = performance.now();
    give({ type: 'upsert', from: round, rev: 1 + round, scan: scan(0), rows: changed });
    panel.flush();
    work.push(performance.now() - start);
    await frame();
    updates.push(performance.now() - start);
  }
  const median = (list) => list.sort((a, b) => a - b)[15];
  return {
    document: painted, frame: shown,
    update_document: median(work), update_frame: median(updates),
  };
}"""


def bundle(folder: Path) -> None:
    """Bundle the panel's components and styles into `entry.js` and `entry.css` in a folder."""
    # esbuild finds modules from the place of the entry, which is therefore among the sources.
    entry = ROOT / ".panel_paint_entry.ts"
    entry.write_text(ENTRY)
    command = ["npx", "esbuild", f"entry={entry}", "--bundle", "--format=esm"]
    try:
        subprocess.run([*command, f"--outdir={folder}", "--log-level=error"], cwd=ROOT, check=True)
    finally:
        entry.unlink()


def measure(folder: Path, jobs: int) -> dict[str, float]:
    """Return the milliseconds that the first paint and an update take, with `jobs` jobs."""
    style = (folder / "entry.css").read_text()
    code = (folder / "entry.js").read_text()
    html = f"<!doctype html><style>{style}</style><body style='width:300px;height:800px'></body>"
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS).new_page()
        # There is no server: playwright answers the requests of the browser.
        page.route("**/page.html", lambda route: route.fulfill(body=html, content_type="text/html"))
        page.route(
            "**/entry.js", lambda route: route.fulfill(body=code, content_type="text/javascript")
        )
        page.goto("http://panel.test/page.html")
        times: dict[str, float] = page.evaluate(MEASURE, [jobs])
    return {name: round(value, 1) for name, value in times.items()}


def main() -> None:
    """Print one JSON object with the times."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=10_000)
    jobs = parser.parse_args().jobs
    with tempfile.TemporaryDirectory() as folder:
        bundle(Path(folder))
        print(json.dumps({"jobs": jobs, **measure(Path(folder), jobs)}))


if __name__ == "__main__":
    main()
