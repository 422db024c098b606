"""What Slurm costs a scan: reading an answer of 10,000 jobs, a scan of 500 variants sent and stopped, counted in calls.

    python benchmarks/slurm_load.py [VARIANTS]

Starts a Slurm of its own, as root on a Debian machine.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import nbformat

from jupyter_gridgpu.backends.slurm import output as words
from tests.engines.ground import run_script
from tests.engines.slurm import Cluster, started

JOBS = 10_000
COMMANDS = ("sbatch", "scontrol", "squeue", "scancel", "sacct", "sinfo")


def answer(jobs: int) -> str:
    """What squeue says of many jobs: most wait, some run, some have ended."""
    kinds = (
        ("PENDING", "JobArrayTaskLimit", "0", "N/A", "N/A", ""),
        ("PENDING", "Priority", "0", str(int(time.time()) + 600), "N/A", ""),
        ("RUNNING", "None", "0", "1795560704", "1796165504", "node1"),
        ("FAILED", "NonZeroExitCode", "18176", "1795560703", "1795560705", "node1"),
    )
    lines = (
        (f"123456_{i}", *kinds[0 if i % 10 else i // 10 % len(kinds)], "gpu", "")
        for i in range(1, jobs + 1)
    )
    return "\n".join(map(words.DIVIDER.join, lines))


def reading() -> None:
    text = answer(JOBS)
    began = time.perf_counter()
    found = words.read_tasks(text)
    took = time.perf_counter() - began
    assert len(found) == JOBS
    print(f"an answer of {JOBS:,} jobs ({len(text) / 1e6:.1f} MB) read in {took:.3f} s")


def counted(cluster: Cluster, folder: Path) -> dict[str, str]:
    """An environment whose commands of Slurm note when they are called."""
    for command in COMMANDS:
        real = shutil.which(command, path=cluster.env["PATH"])
        (folder / command).write_text(
            f'#!/bin/sh\necho {command} >>{folder}/calls\nexec {real} "$@"\n'
        )
        (folder / command).chmod(0o755)
    return {
        **os.environ,
        **cluster.env,
        "PATH": f"{folder}:{cluster.env['PATH']}",
        "GRIDGPU_HOME": str(folder / "home"),
    }


def calls(folder: Path) -> dict[str, int]:
    said = (folder / "calls").read_text().split() if (folder / "calls").exists() else []
    (folder / "calls").unlink(missing_ok=True)
    return {command: said.count(command) for command in COMMANDS if command in said}


def events(scan: Path) -> list[dict[str, Any]]:
    path = scan / "journal.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def sending(cluster: Cluster, variants: int) -> None:
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        env = counted(cluster, folder)
        head = nbformat.v4.new_code_cell("x = 0", metadata={"tags": ["parameters"]})
        cells = [head, nbformat.v4.new_code_cell("import time\ntime.sleep(600)")]
        spec = {"kernelspec": {"name": "python3", "display_name": "python3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=spec), folder / "n.ipynb")
        words = [
            "run",
            "n.ipynb",
            "-p",
            f"x = list(range({variants}))",
            "--on",
            "slurm",
            "--no-wait",
            "--json",
            "--parallel",
            "1",
        ]
        gridgpu = [sys.executable, "-m", "jupyter_gridgpu.cli"]
        ran = subprocess.run(
            [*gridgpu, *words], env=env, cwd=folder, capture_output=True, text=True, check=True
        )
        scan = Path(json.loads(ran.stdout)["folder"])
        while sum(event["type"] == "job.submitted" for event in events(scan)) < variants:
            time.sleep(0.02)
        asked = calls(folder)
        first = next(event["t"] for event in events(scan) if event["type"] == "job.intended")
        last = max(event["t"] for event in events(scan) if event["type"] == "job.submitted")
        print(
            f"{variants} variants sent in {last - first:.2f} s, with {sum(asked.values())} calls: {asked}"
        )
        began = time.perf_counter()
        subprocess.run(
            [*gridgpu, "stop", scan.name], env=env, cwd=folder, capture_output=True, check=True
        )
        while not any(event["type"] == "scan.finished" for event in events(scan)):
            time.sleep(0.05)
        print(
            f"all of them stopped in {time.perf_counter() - began:.1f} s (most of it the pace of questions), with {calls(folder)}"
        )


def main() -> None:
    reading()
    run_script("slurm.sh")
    with started(Cluster()) as cluster:
        sending(cluster, int(sys.argv[1]) if len(sys.argv) > 1 else 500)


if __name__ == "__main__":
    main()
