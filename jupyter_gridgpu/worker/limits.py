"""Decides whether a job must end before its notebook does, and for which reason.

Reasons are a signal, the walltime, the memory limit, a `stop` file, and a folder that was removed.
This is the one place that decides an ending. It decides once, so the first reason counts, and not
at all once the last cell has finished.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_gridgpu.model.grace import grace_seconds
from jupyter_gridgpu.worker.interruption import Grace
from jupyter_gridgpu.worker.oom_kills import count_oom_kills
from jupyter_gridgpu.worker.queue_limit import QueueLimit
from jupyter_gridgpu.worker.stop_file import read_stop
from jupyter_gridgpu.worker.usage import UsageSampler

MEMORY_EVERY_S = 0.25  # a training may take gigabytes within a second
PEAK_EVERY_S = 2.0  # without a memory limit, only the peak is wanted
FOLDER_EVERY_S = 1.0  # the folder may be on a network disk
# SIGTERM: end now. SIGUSR1: the batch system's time limit may be near.
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


@dataclass(frozen=True)
class Ending:
    """Why the job is being ended: a reason as in results, and the message without its full stop."""

    reason: str
    message: str


class Stopped(BaseException):
    """Raised in the worker when the job must end while no cell runs that could be interrupted.

    The class is no Exception, so that no `except Exception` of papermill or nbclient catches it.
    """


class Limits:
    """The limits of one job; `check` is called again and again while cells run.

    `ending` is None until there is a reason to end; the first reason is kept. The client that runs
    the cells sets `in_cell`: while `in_cell` is True, a signal raises nothing, since the client
    interrupts the cell and saves its output.
    """

    def __init__(
        self,
        walltime_s: int | None,
        memory_mb: int | None,
        usage: UsageSampler,
        folder: Path | None = None,
        stop: Path | None = None,
        grace_s: float | None = None,
        kill_s: float | None = None,
        notice_s: float | None = None,
    ) -> None:
        """Start the clock. `folder` must exist while the job runs; a file `stop` asks it to end.

        `grace_s` is that of --grace. `kill_s` is how long the batch system waits after SIGTERM
        before it kills the job, None if it does not. `notice_s` is how long before its time limit
        it sends SIGUSR1 at the latest, None if that is not known.
        """
        self.ending: Ending | None = None
        self.in_cell = False
        self.finished = False
        self._grace_s = grace_s
        self._kill_s = kill_s
        self._walltime_s = walltime_s
        self._deadline: float | None = None
        if walltime_s:
            # The grace is a part of the walltime: the job has saved when the walltime is over.
            own_s = walltime_s - grace_seconds(grace_s, walltime_s)
            self._deadline = time.monotonic() + own_s
        self.queue_limit = QueueLimit(grace_seconds(grace_s, walltime_s), notice_s)
        self._memory_mb = memory_mb
        self._usage = usage
        self._next_memory = 0.0
        self._folder = folder
        self._stop = stop
        self._next_folder = 0.0
        # Other jobs of the same control group may have been killed before this one began.
        self._oom_kills = count_oom_kills()

    def kernel_died(self) -> Ending | None:
        """Return why the kernel died, or None if nothing but its death is known.

        A kernel may take memory faster than `check` looks; the system's count tells then.
        """
        if self._open and count_oom_kills() > self._oom_kills:
            allowed = ""
            if self._memory_mb:
                allowed = f" of {_gigabytes(self._memory_mb)}"
            message = f"Out of memory: the node ended the kernel at the limit{allowed}"
            self.ending = Ending("oom", message)
        return self.ending

    @property
    def _open(self) -> bool:
        """Whether an ending may still be decided."""
        return self.ending is None and not self.finished

    @property
    def grace(self) -> Grace:
        """How long saving may take, now that an ending was decided."""
        kill_s = None
        if self.ending is not None and self.ending.reason == "preempted":
            kill_s = self._kill_s
        seconds = grace_seconds(self._grace_s, self._walltime_s, kill_s)
        return Grace(seconds, self._grace_s is not None)

    def finish(self) -> None:
        """Note that the notebook has come to its end by itself: nothing ends it early any more.

        After an ending was decided, this does nothing.
        """
        self.finished = self.ending is None

    def listen(self) -> None:
        """From now on, end the job with everything saved on SIGTERM or SIGUSR1.

        Raises Stopped if there is a reason to end already.
        """
        for number in SIGNALS:
            signal.signal(number, self._on_signal)
        # A process that forks workers blocks the signals around the fork, so that none is lost.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        if self.check() is not None:
            raise Stopped

    def ignore(self) -> None:
        """Ignore further signals: the notebook has ended, and its result is being written."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def check(self) -> Ending | None:
        """Return why the job must end now, or None. Cheap enough for 50 calls a second."""
        now = time.monotonic()
        for check_limit in (self._check_walltime, self._check_memory, self._check_folder):
            if not self._open:
                break
            found = check_limit(now)
            # A signal may have come during the check; its reason must not be overwritten.
            if found is not None:
                self.ending = self.ending or found
        return self.ending

    def _check_walltime(self, now: float) -> Ending | None:
        if self._deadline is not None and now > self._deadline:
            return Ending("timeout", f"Reached the limit of {_duration(self._walltime_s or 0)}")
        reached = self.queue_limit.reached(now)
        return Ending(*reached) if reached else None

    def _check_memory(self, now: float) -> Ending | None:
        if now <= self._next_memory:
            return None
        every_s = MEMORY_EVERY_S if self._memory_mb else PEAK_EVERY_S
        self._next_memory = now + every_s
        used_mb = self._usage.measure_memory(self._memory_mb)
        if not self._memory_mb or used_mb <= self._memory_mb:
            return None
        used, allowed = _gigabytes(used_mb), _gigabytes(self._memory_mb)
        return Ending("oom", f"Out of memory: {used} used of {allowed} allowed,")

    def _check_folder(self, now: float) -> Ending | None:
        # A user may remove a scan while it runs; its jobs must not go on training.
        if self._folder is None or now <= self._next_folder:
            return None
        self._next_folder = now + FOLDER_EVERY_S
        if _surely_removed(self._folder):
            return Ending("node", "The folder of the job was moved or removed")
        return self._asked_to_stop()

    def _asked_to_stop(self) -> Ending | None:
        """Return the ending that the `stop` file asks for, or None."""
        asked = None
        if self._stop is not None:
            asked = read_stop(self._stop)
        if asked is None:
            return None
        why, message = asked
        words = {"user": "Stopped", "pruned": "Pruned"}
        return Ending(why, (message or words[why]).rstrip(". "))

    def _on_signal(self, number: int, frame: Any) -> None:
        if self.finished:
            return
        if self.ending is None:
            self.ending = self._ending_by_signal(number)
        # Between cells nobody looks at `ending`: the exception leads out of papermill at once.
        if self.ending is not None and not self.in_cell:
            raise Stopped

    def _ending_by_signal(self, number: int) -> Ending | None:
        # A backend that ends a job writes the `stop` file before it sends the signal.
        asked = self._asked_to_stop()
        if asked is not None:
            return asked
        if number == signal.SIGTERM:
            return Ending("preempted", "Ended from outside (SIGTERM)")
        # The walltime is measured by this process alone. A batch system sends this signal early,
        # so it is only a hint that its own limit may come before the walltime is over.
        self.queue_limit.announce()
        return self._check_walltime(time.monotonic())


def _surely_removed(folder: Path) -> bool:
    """Return True only if the folder is missing; False also where the disk does not answer."""
    try:
        os.stat(folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _gigabytes(megabytes: float) -> str:
    return f"{megabytes / 1024:.1f} GB"


def _duration(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds / 3600:.3g} h"
