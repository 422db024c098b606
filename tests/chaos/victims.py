"""The processes of a scan by kind, and what is done to them."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

import psutil

from tests.system.forked import PARENT
from tests.system.helpers import command_of, job_of, session_of
from tests.system.lab import ScanOfLab

KINDS = ("runner", "fork server", "prepared parent", "worker", "kernel")
ALL = "all at once"
STOPPED_S = (0.1, 3.0)  # the shortest and the longest stop


def kind_of(process: Any) -> str | None:
    """Return which kind of process of a scan this is; None for one of no kind, or that ended."""
    command, job = command_of(process), job_of(process)
    if command[1:3] == ["-m", "jupyter_gridgpu.runner"]:
        return "runner"
    if command[-1:] == ["nursery"]:
        # A forked worker has the command line of the fork server, and leads a session of its own.
        return "worker" if session_of(process.pid) == process.pid else "fork server"
    if PARENT in command and job.endswith("/"):
        return "prepared parent"
    if PARENT in command or "ipykernel_launcher" in command:
        return "kernel"
    return None


def victims(scan: ScanOfLab) -> dict[str, list[Any]]:
    """Return the living processes of a scan by their kind; a kind without any is not there."""
    found: dict[str, list[Any]] = {}
    for process in scan.processes():
        kind = kind_of(process)
        if kind is not None and process not in found.get(kind, []):
            found.setdefault(kind, []).append(process)
    return found


def strike(scan: ScanOfLab, chance: random.Random, meanwhile: Callable[[], object]) -> str | None:
    """Kill or stop a process of a scan, and return what was done; None if there is none.

    `meanwhile` is called while a runner is stopped. A stopped process goes on at the end.
    """
    # All that is drawn is drawn first, so that a seed means the same whatever is alive.
    order, at_once = chance.sample(KINDS, len(KINDS)), chance.random() < 0.1
    which, stops, stopped_s = chance.random(), chance.random() < 0.25, chance.uniform(*STOPPED_S)
    alive = victims(scan)
    kind = next((kind for kind in order if kind in alive), None)
    if kind is None:
        return None
    if at_once:
        _send([process for same in alive.values() for process in same], signal.SIGKILL)
        return f"kill {ALL}"
    target = alive[kind][int(which * len(alive[kind]))]
    if not stops:
        _send([target], signal.SIGKILL)
        return f"kill {kind}"
    _send([target], signal.SIGSTOP)
    try:
        if kind == "runner":
            meanwhile()
        time.sleep(stopped_s)
    finally:
        _send([target], signal.SIGCONT)
    return f"stop {kind}"


def _send(targets: Sequence[Any], number: int) -> None:
    for target in targets:
        # Any of them may have ended; psutil never signals another process of the same number.
        with contextlib.suppress(psutil.Error):
            target.send_signal(number)
