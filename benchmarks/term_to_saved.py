"""How long it takes from SIGTERM to a worker's result, with the partial notebook saved.

python benchmarks/term_to_saved.py
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import tempfile
import time
from pathlib import Path

from jupyter_gridgpu import client
from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.store.paths import read_json
from jupyter_gridgpu.testing.examples import notebook_json

CELLS = {
    "a sleeping cell": "import time\nprint('begun', flush=True)\ntime.sleep(600)",
    "a kernel that swallows SIGINT": (
        "import time, signal\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "print('begun', flush=True)\n"
        "while True:\n"
        "    time.sleep(1)"
    ),
}


def measure(name: str, cell: str, folder: Path) -> None:
    """Run a cell, end its worker with SIGTERM, and print how long the result took."""
    notebook = folder / "train.ipynb"
    notebook.write_text(notebook_json("lr = 0.1", cell))
    handle = client.start(plan(notebook, "lr = 0.1", Options(new=True)))
    job = handle.paths.job("v0001.1")
    while "begun" not in _log(handle):
        time.sleep(0.1)
    # The claim names the worker's process.
    claim = read_json(job.claim)
    start = time.perf_counter()
    os.kill(claim["pid"], signal.SIGTERM)
    while not job.result.exists():
        time.sleep(0.005)
    seconds = time.perf_counter() - start
    # The saved notebook must contain what its cell had printed before the signal.
    saved = json.loads(job.copy(claim["copy"]).notebook.read_text())
    outputs = [json.dumps(cell.get("outputs", [])) for cell in saved["cells"]]
    kept = any("begun" in output for output in outputs)
    print(f"{name}: {seconds:.2f} s; printed text kept: {kept}", flush=True)
    handle.wait()


def _log(handle: ScanHandle) -> str:
    """Return the log of the scan's one variant; empty before there is a variant."""
    handle.refresh()
    if not handle.view.variants:
        return ""
    return handle.log_part("v0001")["text"]


def main() -> None:
    """Measure each kind of cell in a home of scans of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GRIDGPU_HOME"] = f"{folder}/scans"
        for name, cell in CELLS.items():
            measure(name, cell, Path(folder))


if __name__ == "__main__":
    main()
