"""Several jobs in one process of an engine: one after another, or some at a time on one GPU."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_gridgpu.worker.launch.forked_process import end_with
from jupyter_gridgpu.worker.limits import SIGNALS
from jupyter_gridgpu.worker.papermill_import import make_ready

if TYPE_CHECKING:
    from jupyter_gridgpu.worker.prefork.starting import ParentStarter


def run_several(specs: Sequence[Path], together: int) -> int:
    """Run jobs, each in a process of its own, `together` at a time; papermill is imported once. Returns an exit code.

    A signal that ends this process is passed on to the jobs that run, which save what they have; no further one starts.
    """
    from jupyter_gridgpu.worker.prefork.starting import ParentStarter

    nest = ParentStarter(_say)
    nest.take(specs[0])
    make_ready()  # while the parent of the kernels imports on its own
    return _Line(list(specs), together, nest).run()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class _Line:
    """The jobs that wait, those that run, and how they ended."""

    def __init__(self, waiting: list[Path], together: int, nest: ParentStarter) -> None:
        self._waiting = waiting
        self._together = together
        self._running: set[int] = set()
        self._code = 0
        self._over = False  # no further job starts
        self._nest = nest

    def run(self) -> int:
        for number in SIGNALS:
            signal.signal(number, self._pass_on)
        while self._waiting or self._running:
            while self._waiting and len(self._running) < self._together:
                self._start(self._waiting.pop(0))
            if self._running:
                self._reap()
        return self._code

    def _start(self, spec: Path) -> None:
        """Fork with signals held back, so that none is lost between the fork and the job's own handlers."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        if not self._over:  # a signal may have come since it was this job's turn
            pid = os.fork()
            if not pid:
                end_with(functools.partial(_job, spec))
            self._running.add(pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _reap(self) -> None:
        pid, status = os.wait()
        self._nest.ended(pid, status)
        if pid in self._running:
            self._running.discard(pid)
            self._code = self._code or abs(os.waitstatus_to_exitcode(status))

    def _pass_on(self, number: int, frame: Any) -> None:
        self._over = True
        self._waiting.clear()
        for pid in self._running:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(pid, number)


def _job(spec: Path) -> int:
    """Run one job; signals stay held back until it listens itself."""
    from jupyter_gridgpu.worker.job import run_job
    from jupyter_gridgpu.worker.usage import die_with_parent

    die_with_parent()
    return run_job(spec)
