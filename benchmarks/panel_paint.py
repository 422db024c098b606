"""The side panel with 50 scans, one of them opened with 10,000 jobs: first paint, and an update of ten rows.

    python benchmarks/panel_paint.py           # needs npm ci and Chromium

A bare page with the panel's components and made-up scans; milliseconds from the data to the document, and to the next frame.
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
sys.path.insert(0, str(ROOT))

from tests.browser.conftest import ARGUMENTS, CHROMIUM  # noqa: E402

ENTRY = """
import "./labextension/src/components/table/table.css";
import "./labextension/src/components/panel/panel.css";
export { Panel } from "./labextension/src/components/panel/panel";
export { Store } from "./labextension/src/components/store";
"""
MEASURE = """async ([jobs]) => {
  const { Panel, Store } = await import('/entry.js');
  const states = ['done', 'running', 'queued', 'failed'];
  const trail = Array.from({ length: 20 }, (_, k) => 1 / (k + 1));
  const row = (i, bump) => ({
    id: 'v' + String(i).padStart(5, '0'), point: i, repeat: 0, params: { lr: 1e-4 * (1 + i % 97) }, state: states[i % 4],
    reason: i % 4 === 3 ? 'oom' : null, message: null, cell: null, attempts: 1, step: 10, steps: 20,
    value: 1 / (1 + i % 50) + bump,
    metrics: { loss: { last: 1 / (1 + i % 50) + bump, min: 0, max: 1, n: 20, trail } }, where: null, gpu: null, started: 1,
    ended: i % 4 === 0 ? 60 : null, notebook: null, peak_mb: null, usage: {} });
  const part = jobs / 4;
  const scan = (n) => ({ id: 's' + n, name: 'scan-' + n, notebook: 'n.ipynb', state: n < 5 ? 'running' : 'done', backend: 'local',
    objective: { metric: 'loss', direction: 'minimize', reduction: 'last' }, params: ['lr'], varied: ['lr'], repeats: null,
    total: jobs, counts: { new: 0, queued: part, running: part, done: part, failed: part, cancelled: 0, lost: 0 }, best: null,
    best_value: null, created: 100 - n, ended: n < 5 ? null : 90, left_s: null, gpu_s: 0, now: 100, folder: '/x', browse: null,
    home: '/', note: null });
  const heads = new Map(Array.from({ length: 50 }, (_, n) => ['s' + n, scan(n)]));
  let give = () => undefined;
  const link = { peer: 'server', send() {}, subscribe(fn) { give = fn; return () => undefined; } };
  const store = new Store(link);
  const source = { scans: heads, closed: false, received: 100, on: () => () => undefined, open: () => store, release() {},
    tryNow() {}, runnerLog: () => Promise.resolve('') };
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const panel = new Panel(source, { scanNotebook() {}, openTable() {} });
  document.body.append(panel.element);
  await frame();
  panel.element.querySelector('[role=treeitem]').click();
  await frame();
  const rows = Array.from({ length: jobs }, (_, i) => row(i, 0));
  const begin = performance.now();
  give({ type: 'snapshot', rev: 1, scan: scan(0), rows });
  panel.flush?.();
  const painted = performance.now() - begin; await frame(); const shown = performance.now() - begin;
  const [work, updates] = [[], []];
  for (let k = 1; k <= 30; k += 1) {
    const start = performance.now();
    give({ type: 'upsert', from: k, rev: 1 + k, scan: scan(0), rows: Array.from({ length: 10 }, (_, i) => row(i, k)) });
    panel.flush?.();
    work.push(performance.now() - start); await frame(); updates.push(performance.now() - start);
  }
  const middle = (list) => list.sort((a, b) => a - b)[15];
  return { document: painted, frame: shown, update_document: middle(work), update_frame: middle(updates) };
}"""


def bundle(folder: Path) -> None:
    entry = ROOT / ".panel_paint_entry.ts"
    entry.write_text(ENTRY)
    try:
        command = [
            "npx",
            "esbuild",
            f"entry={entry}",
            "--bundle",
            "--format=esm",
            f"--outdir={folder}",
            "--log-level=error",
        ]
        subprocess.run(command, cwd=ROOT, check=True)
    finally:
        entry.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=10_000)
    jobs = parser.parse_args().jobs
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        bundle(Path(folder))
        style = (Path(folder) / "entry.css").read_text()
        code = (Path(folder) / "entry.js").read_text()
        page = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS).new_page()
        html = (
            f"<!doctype html><style>{style}</style><body style='width:300px;height:800px'></body>"
        )
        page.route("**/page.html", lambda route: route.fulfill(body=html, content_type="text/html"))
        page.route(
            "**/entry.js", lambda route: route.fulfill(body=code, content_type="text/javascript")
        )
        page.goto("http://panel.test/page.html")
        times = {name: round(value, 1) for name, value in page.evaluate(MEASURE, [jobs]).items()}
        print(json.dumps({"jobs": jobs, **times}))


if __name__ == "__main__":
    main()
