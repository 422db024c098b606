"""Why a job must end before its notebook does: a signal, the walltime, the memory limit. The first reason counts."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_gridgpu.worker.oom import oom_kills
from jupyter_gridgpu.worker.usage import UsageSampler

MEMORY_EVERY_S = 0.25
PEAK_EVERY_S = 2.0  # where memory has no limit, and only its peak is to be known
FOLDER_EVERY_S = 1.0
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)  # end now; the engine's time limit is near


@dataclass(frozen=True)
class Ending:
    """Why the job is being ended."""

    reason: str
    message: str


class Stopped(BaseException):
    """Raised in the worker by SIGTERM while no cell runs that could be interrupted."""


class Limits:
    """Watched while cells run; `ending` is set once and stays."""

    def __init__(
        self,
        walltime_s: int | None,
        memory_mb: int | None,
        usage: UsageSampler,
        folder: Path | None = None,
        stop: Path | None = None,
    ) -> None:
        """`folder` must stay there while the job runs; a file `stop` is the wish to end."""
        self.ending: Ending | None = None
        self.in_cell = False
        self._deadline = time.monotonic() + walltime_s if walltime_s else None
        self._walltime_s = walltime_s
        self._memory_mb = memory_mb
        self._usage = usage
        self._next_memory = 0.0
        self._folder = folder
        self._stop = stop
        self._next_folder = 0.0
        self._oom_kills = oom_kills()

    def kernel_died(self) -> Ending | None:
        """Return why the kernel died, where that can be told: it took memory faster than anybody could look."""
        if self.ending is None and oom_kills() > self._oom_kills:
            allowed = f" of {self._memory_mb / 1024:.1f} GB" if self._memory_mb else ""
            self.ending = Ending(
                "oom", f"Out of memory: the node ended the kernel at the limit{allowed}"
            )
        return self.ending

    def listen(self) -> None:
        """Take signals as the wish to end with all that is there saved. Raises Stopped if the job is to end already."""
        for number in SIGNALS:
            signal.signal(number, self._on_signal)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        if self.check() is not None:
            raise Stopped

    def ignore(self) -> None:
        """Take no notice of signals any more: the notebook has ended, and its result is being written."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def check(self) -> Ending | None:
        """Return why the job must end now, if it must."""
        now = time.monotonic()
        if self.ending is None and self._deadline is not None and now > self._deadline:
            self.ending = Ending("timeout", f"Reached the limit of {_words(self._walltime_s or 0)}")
        if self.ending is None and now > self._next_memory:
            self._next_memory = now + (MEMORY_EVERY_S if self._memory_mb else PEAK_EVERY_S)
            used = self._usage.measure_memory()
            if self._memory_mb and used > self._memory_mb:
                self.ending = Ending(
                    "oom",
                    f"Out of memory: {used / 1024:.1f} GB used of {self._memory_mb / 1024:.1f} GB allowed,",
                )
        if self.ending is None and self._folder is not None and now > self._next_folder:
            self._next_folder = now + FOLDER_EVERY_S
            if _removed(self._folder):
                self.ending = Ending("node", "The folder of the job was removed")
            elif self._stop is not None and self._stop.exists():
                self.ending = Ending("user", "Stopped")
        return self.ending

    def _on_signal(self, number: int, frame: Any) -> None:
        near = (
            f"Reached the limit of {_words(self._walltime_s)}"
            if self._walltime_s
            else "Reached the time limit of the queue"
        )
        outside = Ending("preempted", "Ended from outside (SIGTERM)")
        self.ending = self.ending or (
            outside if number == signal.SIGTERM else Ending("timeout", near)
        )
        if not self.in_cell:
            raise Stopped


def _removed(folder: Path) -> bool:
    """Whether a folder is gone for sure: a file system that does not answer well says nothing."""
    try:
        os.stat(folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _words(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"
