"""From SIGTERM to a worker to its result, with the partial notebook saved.

python benchmarks/term_to_saved.py
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from pathlib import Path

from jupyter_gridgpu import client
from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.planning.request import Options, plan
from jupyter_gridgpu.store.paths import read_json
from jupyter_gridgpu.testing.examples import notebook_json

CELLS = {
    "a sleeping cell": "import time\nprint('begun', flush=True)\ntime.sleep(600)",
    "a kernel that swallows SIGINT": (
        "import time, signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('begun', flush=True)\n"
        "while True:\n    time.sleep(1)"
    ),
}


def measure(name: str, cell: str, folder: Path) -> None:
    notebook = folder / "train.ipynb"
    notebook.write_text(notebook_json("lr = 0.1", cell))
    handle = client.start(plan(notebook, "lr = 0.1", Options(new=True)))
    key = "v0001.1"
    while "begun" not in _log(handle):
        time.sleep(0.1)
    claim = read_json(handle.paths.job(key).claim)
    start = time.perf_counter()
    os.kill(claim["pid"], signal.SIGTERM)
    while not handle.paths.job(key).result.exists():
        time.sleep(0.005)
    seconds = time.perf_counter() - start
    saved = handle.paths.job(key).copy(claim["copy"]).notebook.read_text()
    kept = any(
        "begun" in json.dumps(cell.get("outputs", [])) for cell in json.loads(saved)["cells"]
    )
    print(f"{name}: {seconds:.2f} s; printed text kept: {kept}", flush=True)
    handle.wait()


def _log(handle: ScanHandle) -> str:
    handle.refresh()
    return handle.log_part("v0001")["text"] if handle.view.variants else ""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GRIDGPU_HOME"] = f"{folder}/scans"
        for name, cell in CELLS.items():
            measure(name, cell, Path(folder))


if __name__ == "__main__":
    main()
