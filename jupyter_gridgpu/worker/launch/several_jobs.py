"""Runs the several jobs of one task of a batch system, one after another or some side by side.

Side by side means on one GPU (`--per-gpu`). Each job runs in a forked process; papermill is
imported once for all of them.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_gridgpu.worker.launch.forked_worker import run_and_exit
from jupyter_gridgpu.worker.limits import SIGNALS
from jupyter_gridgpu.worker.papermill_import import prepare_for_forks

if TYPE_CHECKING:
    from jupyter_gridgpu.worker.prefork.parent_starter import ParentStarter


def run_several(specs: Sequence[Path], together: int) -> int:
    """Run jobs, `together` at a time, and return the first exit code that is not 0, else 0.

    A signal is passed on to the jobs that run. If it asks this process to end, the jobs save their
    notebooks, and no further job starts.
    """
    from jupyter_gridgpu.worker.prefork.parent_starter import ParentStarter

    starter = ParentStarter(_log)
    # The prepared parent starts first: it imports at the same time as this process.
    starter.prepare_for(specs[0])
    prepare_for_forks()
    return _Task(list(specs), together, starter).run()


def _log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class _Task:
    """The jobs of a task: those that wait, the processes of those that run, and the exit code."""

    def __init__(self, waiting: list[Path], together: int, starter: ParentStarter) -> None:
        self._waiting = waiting
        self._together = together
        self._starter = starter
        self._running: set[int] = set()  # process numbers
        self._exit_code = 0
        self._ending = False  # a signal came, and no further job starts
        self._limit_announced = False  # a signal said that a time limit may be near

    def run(self) -> int:
        for number in SIGNALS:
            signal.signal(number, self._pass_on)
        while self._waiting or self._running:
            while self._waiting and len(self._running) < self._together:
                self._start(self._waiting.pop(0))
            if self._running:
                self._wait_for_one()
        return self._exit_code

    def _start(self, spec: Path) -> None:
        """Fork a job, with signals blocked so that none is lost before the job handles them."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        # A signal may have come after the job was taken from `_waiting`.
        if not self._ending:
            pid = os.fork()
            if not pid:
                run_and_exit(functools.partial(_run_worker, spec))
            self._running.add(pid)
            if self._limit_announced:
                os.kill(pid, signal.SIGUSR1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _wait_for_one(self) -> None:
        pid, status = os.wait()
        self._starter.child_ended(pid, status)
        # The prepared parent is a child too; its exit code is not that of a job.
        if pid in self._running:
            self._running.discard(pid)
            if not self._exit_code:
                self._exit_code = abs(os.waitstatus_to_exitcode(status))

    def _pass_on(self, number: int, frame: Any) -> None:
        if number == signal.SIGUSR1:
            # Each job finds out whether it has time enough.
            self._limit_announced = True
        else:
            self._ending = True
            self._waiting.clear()
        for pid in self._running:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(pid, number)


def _run_worker(spec: Path) -> int:
    """Run one job in this forked process; signals stay blocked until the job listens."""
    from jupyter_gridgpu.worker.job import run_job
    from jupyter_gridgpu.worker.usage import die_with_parent

    die_with_parent()
    return run_job(spec)
