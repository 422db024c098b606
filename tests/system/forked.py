"""What the tests of forked kernels share: notebooks that look around or hold, and their parents."""

from __future__ import annotations

import json
from typing import Any

from tests.kit import eventually

from .helpers import command_of, job_of, options, space
from .lab import Lab, ScanOfLab
from .notebooks import Executed

PARENT = "jupyter_gridgpu.worker.prefork.parent"
# Who the kernel's parent is, and what it finds.
LOOK = """
import numpy, os, signal, sys
environment = open("/proc/self/environ").read()
looked = {
    "parent": open(f"/proc/{os.getppid()}/cmdline").read().split(chr(0))[:-1],
    "cwd": os.path.basename(os.getcwd()),
    "gpus": os.environ.get("CUDA_VISIBLE_DEVICES"), "prefix": sys.prefix, "argv": sys.argv[:1],
    "path": [os.path.basename(place) for place in sys.path],
    "left": os.environ.get("LEFT_BEHIND"), "file": os.path.exists("left"),
    "usr1": str(signal.getsignal(signal.SIGUSR1)),
    "own": environment.count("GRIDGPU_JOB="),
    "job": os.environ["GRIDGPU_JOB"] in environment,
}
"""
TELL = "import json\nprint(json.dumps(looked))"
HOLD = """
import os, subprocess, sys, time
with open(mark, "a") as file:
    file.write(f"{n}\\n")
while hold and not os.path.exists(gate):
    time.sleep(0.05)
"""
HOLD_PARAMETERS = "n = 0\nmark = ''\ngate = ''\nhold = True"


def text(scan: ScanOfLab, ident: str) -> str:
    """Return what the notebook of a variant has printed."""
    return Executed.read(scan.variants()[ident]["notebook"]).text()


def looked(scan: ScanOfLab) -> list[dict[str, Any]]:
    """Return what LOOK found in each variant."""
    return [json.loads(text(scan, ident)) for ident in scan.variants()]


def forked(parent: list[str]) -> bool:
    """Return whether the command line of a kernel's parent is that of a prepared parent."""
    return PARENT in parent


def hold(lab: Lab, count: int, *cells: str, words: str = "") -> ScanOfLab:
    """Start jobs that wait for the file `gate`."""
    axes = space(n=list(range(1, count + 1)), mark=str(lab.mark), gate=str(lab.folder / "gate"))
    notebook = lab.notebook(*(cells or (HOLD,)), parameters=HOLD_PARAMETERS)
    return lab.start(notebook, *axes, *options(words))


def parents(scan: ScanOfLab) -> list[Any]:
    """Return the prepared parents.

    A kernel that was just forked, and has not become one yet, is among them.
    """
    named = [process for process in scan.processes() if PARENT in command_of(process)]
    return [process for process in named if job_of(process).endswith("/")]


def parent_of(scan: ScanOfLab) -> int:
    """Return the process of the one prepared parent, once nothing else looks like it."""
    eventually(lambda: len(parents(scan)) == 1, what="one prepared parent")
    return int(parents(scan)[0].pid)
