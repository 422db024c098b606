"""What a runner of a scan of many variants takes: memory, and processor time while two jobs run.

    python benchmarks/many_variants.py --variants 1000

The scan's journal is filled with variants that have ended after 20 epochs of three metrics; then two more points are asked
for, and the real runner proposes and runs them. Printed for a sampler that only takes samples and for one that learns.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from jupyter_gridgpu import client
from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.model import events
from jupyter_gridgpu.request import Options, plan
from jupyter_gridgpu.store.journal import JournalWriter
from jupyter_gridgpu.store.paths import read_json
from jupyter_gridgpu.testing.examples import notebook_json

EPOCHS, METRICS = 20, ("loss", "acc", "val_loss")


def fill(handle: ScanHandle, variants: int) -> None:
    """Write the journal of a scan whose variants have all ended."""
    writer = JournalWriter(handle.paths.journal, 0, 1)
    writer.append([(events.RUNNER_STARTED, {})])
    for number in range(variants):
        ident, key = f"v{number + 1:04d}", f"v{number + 1:04d}.1"
        params = {"lr": 1e-4 * (1 + number % 97), "seed": 0}
        items: list[tuple[str, dict[str, Any]]] = [
            (events.VARIANT_PROPOSED, {"variant": ident, "point": number, "repeat": 0, "params": params, "attrs": {}}),
            (events.JOB_INTENDED, {"key": key}),
            (events.JOB_SUBMITTED, {"key": key, "engine_id": key}),
            (events.JOB_OBSERVED, {"key": key, "state": "running", "started": 1.0 * number}),
        ]
        for epoch in range(EPOCHS):
            metrics = {name: [epoch + 1, 0.0, 1.0, [1 / (epoch + number % 7 + 1)]] for name in METRICS}
            items.append((events.JOB_REPORTED, {"key": key, "step": epoch + 1, "steps": EPOCHS, "metrics": metrics}))
        items.append((events.JOB_OBSERVED, {"key": key, "state": "done", "ended": number + 20.0}))
        writer.append(items)
    writer.append([(events.SCAN_FINISHED, {"state": "done"})])
    writer.close()


def measure(sampler: str, variants: int, folder: Path) -> None:
    """Print the runner's peak memory, its processor time, and how long a reader takes to fold the journal."""
    notebook = folder / "train.ipynb"
    notebook.write_text(notebook_json("lr = 0.1\nseed = 0", "import time\ntime.sleep(2)\nacc = 1 - lr"))
    options = Options(maximize="acc", trials=variants, sampler=sampler, parallel=2, name=sampler)
    made = plan(notebook, "lr = loguniform(1e-4, 1e-2)\nseed = 0", options)
    handle = client.create(made)
    fill(handle, variants)
    start = time.perf_counter()
    handle = client.open_scan(sampler)
    folded = time.perf_counter() - start
    handle.extend(2)
    peak, spent, begun = 0.0, 0.0, time.perf_counter()
    while not handle.ended:
        owner = (read_json(handle.paths.lock) or {}).get("pid", -1)
        try:
            process = psutil.Process(owner)
            peak = max(peak, process.memory_info().rss / 2**20)
            spent = sum(process.cpu_times()[:2])
        except (psutil.Error, ValueError):
            pass
        handle.refresh()
        time.sleep(0.05)
    wall = time.perf_counter() - begun
    took = f"runner {peak:.0f} MB, {spent:.1f} s of a core in {wall:.1f} s"
    print(f"{sampler}: {variants} variants: {took}; journal folded in {folded:.2f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", type=int, default=1000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GRIDGPU_HOME"] = f"{folder}/scans"
        for sampler in ("random", "tpe"):
            measure(sampler, given.variants, Path(folder))


if __name__ == "__main__":
    main()
