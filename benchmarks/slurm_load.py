"""How much time and how many calls of Slurm's commands a scan takes.

    python benchmarks/slurm_load.py [VARIANTS]

First an answer of squeue about 10,000 jobs is read. Then a scan of 500 variants is sent and
stopped, and the calls of Slurm's commands are counted. The script starts a Slurm of its own, as
root on a Debian machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat

from jupyter_gridgpu.backends.slurm import output

# The tests are no part of the package that is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.engines.ground import run_script
from tests.engines.slurm import Cluster, started

JOBS = 10_000
COMMANDS = ("sbatch", "scontrol", "squeue", "scancel", "sacct", "sinfo")
GRIDGPU = [sys.executable, "-m", "jupyter_gridgpu.cli"]


def squeue_text(jobs: int) -> str:
    """Return what squeue prints about many jobs: most wait, some run, some have ended."""
    kinds = (
        ("PENDING", "JobArrayTaskLimit", "0", "N/A", "N/A", ""),
        ("PENDING", "Priority", "0", str(int(time.time()) + 600), "N/A", ""),
        ("RUNNING", "None", "0", "1795560704", "1796165504", "node1"),
        ("FAILED", "NonZeroExitCode", "18176", "1795560703", "1795560705", "node1"),
    )
    lines = []
    for number in range(1, jobs + 1):
        kind = kinds[0]
        if number % 10 == 0:
            kind = kinds[number // 10 % len(kinds)]
        lines.append(output.DIVIDER.join((f"123456_{number}", *kind, "gpu", "")))
    return "\n".join(lines)


def measure_reading() -> None:
    """Read a long answer of squeue, and print how long that took."""
    text = squeue_text(JOBS)
    began = time.perf_counter()
    tasks = output.read_tasks(text)
    seconds = time.perf_counter() - began
    assert len(tasks) == JOBS
    print(f"an answer of {JOBS:,} jobs ({len(text) / 1e6:.1f} MB) read in {seconds:.3f} s")


def counting_environment(cluster: Cluster, folder: Path) -> dict[str, str]:
    """Return an environment in which each call of a command of Slurm is noted in `folder`."""
    for command in COMMANDS:
        real = shutil.which(command, path=cluster.env["PATH"])
        script = folder / command
        script.write_text(f'#!/bin/sh\necho {command} >>{folder}/calls\nexec {real} "$@"\n')
        script.chmod(0o755)
    return {
        **os.environ,
        **cluster.env,
        "PATH": f"{folder}:{cluster.env['PATH']}",
        "GRIDGPU_HOME": str(folder / "home"),
    }


def take_calls(folder: Path) -> dict[str, int]:
    """Return how often each command was called since the last time, and begin anew."""
    noted = folder / "calls"
    if not noted.exists():
        return {}
    calls = noted.read_text().split()
    noted.unlink()
    return {command: calls.count(command) for command in COMMANDS if command in calls}


def events_of(scan: Path) -> list[dict[str, Any]]:
    """Return the events in the journal of a scan folder."""
    path = scan / "journal.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def times_of(scan: Path, kind: str) -> list[float]:
    """Return when the events of one type were written, in seconds since the epoch."""
    return [event["t"] for event in events_of(scan) if event["type"] == kind]


def write_notebook(path: Path) -> None:
    """Write a notebook that sleeps for ten minutes."""
    head = nbformat.v4.new_code_cell("x = 0", metadata={"tags": ["parameters"]})
    cells = [head, nbformat.v4.new_code_cell("import time\ntime.sleep(600)")]
    kernel = {"name": "python3", "display_name": "python3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


def measure_sending(cluster: Cluster, variants: int) -> None:
    """Send a scan and stop it, and print time and calls of both."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        env = counting_environment(cluster, folder)
        write_notebook(folder / "n.ipynb")
        words = ["run", "n.ipynb", "-p", f"x = list(range({variants}))", "--on", "slurm"]
        words += ["--no-wait", "--json", "--parallel", "1"]
        ran = subprocess.run(
            [*GRIDGPU, *words], env=env, cwd=folder, capture_output=True, text=True, check=True
        )
        scan = Path(json.loads(ran.stdout)["folder"])
        # The journal is the only place that says when the runner heard the last id.
        while len(times_of(scan, "job.submitted")) < variants:
            time.sleep(0.02)
        # The calls of later questions are not those that sending takes.
        calls = take_calls(folder)
        sent_s = max(times_of(scan, "job.submitted")) - times_of(scan, "job.intended")[0]
        print(
            f"{variants} variants sent in {sent_s:.2f} s, with {sum(calls.values())} calls: {calls}"
        )
        began = time.perf_counter()
        stop = [*GRIDGPU, "stop", scan.name]
        subprocess.run(stop, env=env, cwd=folder, capture_output=True, check=True)
        while not times_of(scan, "scan.finished"):
            time.sleep(0.05)
        # Most of this time is the poll interval.
        stopped_s = time.perf_counter() - began
        print(
            f"all of them stopped in {stopped_s:.1f} s (most of it the pace of questions),"
            f" with {take_calls(folder)}"
        )


def main() -> None:
    """Measure reading, then sending with a Slurm of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("variants", type=int, nargs="?", default=500, metavar="VARIANTS")
    given = parser.parse_args()
    measure_reading()
    run_script("slurm.sh")
    with started(Cluster()) as cluster:
        measure_sending(cluster, given.variants)


if __name__ == "__main__":
    main()
