"""A lab whose scans go to a real Slurm."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.engines.slurm import Cluster

from .helpers import Executed, Lab, ScanOfLab

ON = ("--on", "slurm", "--gpus", "1")
# It waits for the file of its folder's name, so that tests need not hurry; n is added to the marks when it begins.
HELD = """
import os, pathlib, time
from jupyter_gridgpu import report
with open(mark, "a") as file:
    file.write(f"{n}\\n")
print("begun on", os.environ["SLURMD_NODENAME"], flush=True)
report(epoch=1, loss=n)
while not pathlib.Path(gate).exists():
    time.sleep(0.05)
report(epoch=2, loss=2 * n)
"""
HELD_PARAMETERS = "n = 0\nmark = '/dev/null'\ngate = '/'"


GREEDY = """
import time
print("begun on a node", flush=True)
time.sleep(0.5)
kept = []
while True:
    kept.append(b"x" * 20_000_000)"""


class SlurmLab(Lab):
    """A lab whose scans go to Slurm, and whose calls to Slurm are counted."""

    cluster: Cluster

    @property
    def gate(self) -> Path:
        return self.folder / "gate"

    @property
    def tools(self) -> Path:
        return self.folder / "tools"

    def wrap(self, command: str, before: str = "", after: str = "") -> None:
        """Put a script before one of Slurm's commands on the PATH: it notes every call."""
        real = shutil.which(command, path=self.cluster.env["PATH"])
        self.tools.mkdir(exist_ok=True)
        text = f'#!/bin/sh\necho "$@" >>{self.tools}/{command}.calls\n{before}\n{real} "$@"\ncode=$?\n{after}\nexit $code\n'
        (self.tools / command).write_text(text)
        (self.tools / command).chmod(0o755)
        self.env["PATH"] = f"{self.tools}:{self.cluster.env['PATH']}"

    def calls(self, command: str) -> list[str]:
        path = self.tools / f"{command}.calls"
        return path.read_text().splitlines() if path.exists() else []

    def held(self, count: int, *options: str) -> ScanOfLab:
        """Start a scan of jobs that begin, and end when the gate is there."""
        space = (
            f"n = {list(range(1, count + 1))}",
            f"mark = {str(self.mark)!r}",
            f"gate = {str(self.gate)!r}",
        )
        notebook = self.notebook(HELD, parameters=HELD_PARAMETERS)
        return self.start(
            notebook, *(word for line in space for word in ("-p", line)), *ON, *options
        )

    def open(self) -> None:
        self.gate.touch()


def text_of(variant: dict[str, Any]) -> str:
    return Executed.read(variant["notebook"]).text()


@contextmanager
def slurm_lab(folder: Path, cluster: Cluster) -> Iterator[SlurmLab]:
    """A lab on a cluster, whose jobs do not outlive the block."""
    made = SlurmLab(folder, env={**cluster.env, "GRIDGPU_POLL_S": "0.5"})
    made.cluster = cluster
    try:
        yield made
    finally:
        made.open()
        made.end()
        cluster.clear()


def check_done_once(scan: ScanOfLab, count: int) -> None:
    """Every variant is done at its first attempt, of which each was sent once."""
    body = scan.wait()
    assert [(v["state"], v["attempts"]) for v in body["variants"]] == [("done", 1)] * count
    assert scan.lab.marks() == [str(n) for n in range(1, count + 1)]
    assert len(scan.events_of("job.submitted")) == count


def task_of(scan: ScanOfLab, key: str) -> str:
    return next(str(e["engine_id"]) for e in scan.events_of("job.submitted") if e["key"] == key)
