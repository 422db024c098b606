"""The nursery: a process that imports papermill once and forks a worker for every job.

One JSON line on stdin starts one job. Workers are sessions of their own: they outlive the nursery, which ends when its
stdin does, and the runner, which feeds it. Nothing is executed here before the fork but imports.
"""

from __future__ import annotations

import functools
import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from jupyter_gridgpu.worker.launch.forked_process import end_with
from jupyter_gridgpu.worker.papermill_import import make_ready

if TYPE_CHECKING:
    from jupyter_gridgpu.worker.prefork.starting import ParentStarter

_REAP_S = 0.5


def serve(commands: IO[bytes]) -> None:
    """Fork a worker for every line of `commands` until it ends."""
    from jupyter_gridgpu.worker.prefork.starting import ParentStarter

    nest = ParentStarter(_say)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends with its runner, not before
    handle, buffer = commands.fileno(), b""
    while True:
        ready, _, _ = select.select([handle], [], [], _REAP_S)
        _reap(nest)
        if not ready:
            continue
        data = os.read(handle, 65536)
        if not data:
            return
        *lines, buffer = (buffer + data).split(b"\n")
        for line in lines:
            job = Path(json.loads(line)["job"])
            nest.take(job)
            make_ready()  # once, while the parent of the kernels imports on its own
            _start(job)


def _say(text: str) -> None:
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}", file=sys.stderr, flush=True)


def _start(job: Path) -> None:
    if not os.fork():
        end_with(functools.partial(_job, job))


def _job(job: Path) -> int:
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    devnull = os.open(os.devnull, os.O_RDONLY)
    os.dup2(devnull, 0)
    from jupyter_gridgpu.worker.job import run_job

    return run_job(job, claim=True)


def _reap(nest: ParentStarter) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        nest.ended(pid, status)
