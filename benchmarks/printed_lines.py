"""How long a job takes whose cell prints many lines, compared with plain papermill.

python benchmarks/printed_lines.py [--lines 1000000] [--times 3] [--flush]

Both run in turn, so that other load on the machine meets both. papermill logs the output, too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jupyter_gridgpu import client
from jupyter_gridgpu.backends.base import Job, job_spec, write_spec
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.store.paths import ScanPaths, read_json
from jupyter_gridgpu.testing.examples import notebook_json


def seconds_of(command: list[str], log: Path) -> float:
    """Run a command with its output in a file; return how long it took."""
    start = time.perf_counter()
    with open(log, "wb") as output:
        subprocess.run(command, check=True, stdout=output, stderr=output)
    return time.perf_counter() - start


def run_papermill(notebook: Path, folder: Path, number: int) -> float:
    output = folder / f"papermill{number}.ipynb"
    command = [sys.executable, "-m", "papermill", "--log-output", "--no-progress-bar"]
    return seconds_of([*command, str(notebook), str(output)], folder / f"papermill{number}.log")


def run_job(scan: ScanPaths, spec: dict[str, object], folder: Path, number: int) -> float:
    key = f"v0001.{number}"
    job = scan.job(key)
    write_spec(Job(key, job, {**spec, "key": key}), {})
    command = [sys.executable, "-m", "jupyter_gridgpu.worker", str(job.spec)]
    seconds = seconds_of(command, folder / f"job{number}.log")
    result = read_json(job.result)
    assert result["state"] == "done", result
    return seconds


def main() -> None:
    """Run both in turn and print the medians and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--flush", action="store_true", help="flush after each line")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["GRIDGPU_HOME"] = f"{folder}/scans"
        notebook = folder / "train.ipynb"
        cell = f"for i in range({asked.lines}): print('line', i, flush={asked.flush})"
        notebook.write_text(notebook_json("n = 0", cell))
        (folder / "scans").mkdir()
        handle = client.create(plan(notebook, "n = [1]", Options()))
        spec = job_spec(handle.scan, "v0001.1", {"n": 1})
        ours, plain = [], []
        for number in range(1, asked.times + 1):
            plain.append(run_papermill(notebook, folder, number))
            ours.append(run_job(handle.paths, spec, folder, number))
            print(f"papermill {plain[-1]:.2f} s, job {ours[-1]:.2f} s", flush=True)
    ratio = statistics.median(ours) / statistics.median(plain)
    print(f"{asked.lines:,} lines: a job takes {ratio:.2f} times as long as papermill")


if __name__ == "__main__":
    main()
