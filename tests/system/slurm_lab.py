"""A lab whose scans go to a real Slurm."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.engines.slurm import Cluster

from .helpers import space
from .lab import Lab, ScanOfLab
from .notebooks import WAIT_UNTIL_LOGGED, Executed

ON = ("--on", "slurm", "--gpus", "1")
# The job waits for the file `gate`, so that a test need not be faster than the job. Its n is added
# to the marks when it begins.
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
# Takes ever more memory, without a pause.
GREEDY = f"""{WAIT_UNTIL_LOGGED}
print("begun on a node", flush=True)
wait_until_logged("begun on a node")
kept = []
while True:
    kept.append(b"x" * 20_000_000)"""
# A wrapper of a command of Slurm: it notes the words of each call, one call a line.
WRAPPER = """#!/bin/sh
echo "$@" >>{calls}
{before}
{real} "$@"
code=$?
{after}
exit $code
"""


class SlurmLab(Lab):
    """A lab whose scans go to Slurm, and whose calls to Slurm are counted."""

    cluster: Cluster

    @property
    def gate(self) -> Path:
        """The file for which held jobs wait."""
        return self.folder / "gate"

    @property
    def tools(self) -> Path:
        """The folder of the wrapped commands."""
        return self.folder / "tools"

    def wrap(self, command: str, before: str = "", after: str = "") -> None:
        """Put a script before one of Slurm's commands on the PATH: it notes every call.

        `before` and `after` are lines of shell that run before and after the command itself.
        """
        real = shutil.which(command, path=self.cluster.env["PATH"])
        self.tools.mkdir(exist_ok=True)
        calls = self.tools / f"{command}.calls"
        script = self.tools / command
        script.write_text(WRAPPER.format(calls=calls, before=before, real=real, after=after))
        script.chmod(0o755)
        self.env["PATH"] = f"{self.tools}:{self.cluster.env['PATH']}"

    def calls(self, command: str) -> list[str]:
        """Return the words of each call of a wrapped command."""
        path = self.tools / f"{command}.calls"
        return path.read_text().splitlines() if path.exists() else []

    def sent(self) -> list[str]:
        """Return the calls of sbatch that sent something; others only asked whether they might."""
        return [call for call in self.calls("sbatch") if "--test-only" not in call]

    def held(self, count: int, *words: str) -> ScanOfLab:
        """Start a scan of jobs that begin, and end when the gate is there."""
        axes = space(n=list(range(1, count + 1)), mark=str(self.mark), gate=str(self.gate))
        notebook = self.notebook(HELD, parameters=HELD_PARAMETERS)
        return self.start(notebook, *axes, *ON, *words)

    def open(self) -> None:
        """Let held jobs end."""
        self.gate.touch()


def text_of(variant: dict[str, Any]) -> str:
    """Return what the notebook of a variant has printed."""
    return Executed.read(variant["notebook"]).text()


@contextmanager
def slurm_lab(folder: Path, cluster: Cluster) -> Iterator[SlurmLab]:
    """Yield a lab on a cluster, whose jobs do not outlive the block."""
    made = SlurmLab(folder, env={**cluster.env, "GRIDGPU_POLL_S": "0.3"})
    made.cluster = cluster
    try:
        yield made
    finally:
        made.open()
        made.end()
        cluster.clear()


def check_done_once(scan: ScanOfLab, count: int) -> None:
    """Check that every variant is done at its first attempt, and was sent once."""
    body = scan.wait()
    ends = [(variant["state"], variant["attempts"]) for variant in body["variants"]]
    assert ends == [("done", 1)] * count
    assert scan.lab.marks() == [str(number) for number in range(1, count + 1)]
    assert len(scan.events_of("job.submitted")) == count


def task_of(scan: ScanOfLab, key: str) -> str:
    """Return Slurm's id of a job."""
    sent = scan.events_of("job.submitted")
    return next(str(event["engine_id"]) for event in sent if event["key"] == key)
