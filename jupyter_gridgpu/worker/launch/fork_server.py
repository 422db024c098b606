"""The fork server: a process that imports papermill once and forks a worker for each job.

Each line on its standard input, `{"job": PATH}`, starts one job. Each worker has a session of its
own, so it goes on when the fork server or the runner ends. The fork server itself ends when its
standard input is closed, which also happens when its runner dies. Before a fork, the fork server
only imports modules: a process that has computed something with TensorFlow hangs after a fork.
"""

from __future__ import annotations

import functools
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.worker.launch.forked_worker import run_and_exit
from jupyter_gridgpu.worker.papermill_import import prepare_for_forks

if TYPE_CHECKING:
    from jupyter_gridgpu.worker.prefork.parent_starter import ParentStarter

_REAP_EVERY_S = 0.5


def serve(commands: IO[bytes]) -> None:
    """Fork a worker for each line of `commands` until its end."""
    from jupyter_gridgpu.worker.prefork.parent_starter import ParentStarter

    starter = ParentStarter(_log)
    # The fork server ends with its runner and not before, so it ignores signals that somebody
    # sends to the whole group of processes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    handle = commands.fileno()
    unfinished = b""
    while True:
        ready, _, _ = select.select([handle], [], [], _REAP_EVERY_S)
        _reap(starter)
        if not ready:
            continue
        data = os.read(handle, 65536)
        if not data:
            return
        *lines, unfinished = (unfinished + data).split(b"\n")
        for line in lines:
            job = Path(parse_json(line)["job"])
            # The prepared parent starts first: it imports at the same time as this process.
            starter.prepare_for(job)
            prepare_for_forks()
            _fork_worker(job)


def _log(text: str) -> None:
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}", file=sys.stderr, flush=True)


def _fork_worker(job: Path) -> None:
    if not os.fork():
        run_and_exit(functools.partial(_run_worker, job))


def _run_worker(job: Path) -> int:
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # The worker must not read the lines for the fork server, nor keep its input open.
    empty_input = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty_input, 0)
    from jupyter_gridgpu.worker.job import run_job

    return run_job(job, claim=True)


def _reap(starter: ParentStarter) -> None:
    """Let the system forget children that have ended, and tell `starter` of each of them.

    The children are the workers and the prepared parent.
    """
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        starter.child_ended(pid, status)
