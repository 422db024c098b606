"""Why a job must end before its notebook does: a signal, the walltime, the memory limit. The first reason counts."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_gridgpu.worker.usage import Usage

MEMORY_EVERY_S = 0.25
FOLDER_EVERY_S = 1.0


@dataclass(frozen=True)
class Ending:
    """Why the job is being ended."""

    reason: str
    message: str


class Stopped(BaseException):
    """Raised in the worker by SIGTERM while no cell runs that could be interrupted."""


class Limits:
    """Watched while cells run; `ending` is set once and stays."""

    def __init__(self, walltime_s: int | None, memory_mb: int | None, usage: Usage, folder: Path | None = None) -> None:
        self.ending: Ending | None = None
        self.in_cell = False
        self._deadline = time.monotonic() + walltime_s if walltime_s else None
        self._walltime_s = walltime_s
        self._memory_mb = memory_mb
        self._usage = usage
        self._next_memory = 0.0
        self._folder = folder
        self._next_folder = 0.0

    def listen(self) -> None:
        """Take SIGTERM as the wish to end with all that is there saved."""
        signal.signal(signal.SIGTERM, self._on_term)

    def ignore(self) -> None:
        """Take no notice of SIGTERM any more: the notebook has ended, and its result is being written."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def check(self) -> Ending | None:
        """Return why the job must end now, if it must."""
        now = time.monotonic()
        if self.ending is None and self._deadline is not None and now > self._deadline:
            self.ending = Ending("timeout", f"Reached the limit of {_words(self._walltime_s or 0)}")
        if self.ending is None and self._memory_mb and now > self._next_memory:
            self._next_memory = now + MEMORY_EVERY_S
            used = self._usage.measure_memory()
            if used > self._memory_mb:
                self.ending = Ending(
                    "oom", f"Out of memory: {used / 1024:.1f} GB used of {self._memory_mb / 1024:.1f} GB allowed,"
                )
        if self.ending is None and self._folder is not None and now > self._next_folder:
            self._next_folder = now + FOLDER_EVERY_S
            if _removed(self._folder):
                self.ending = Ending("node", "The folder of the job was removed")
        return self.ending

    def _on_term(self, number: int, frame: Any) -> None:
        self.ending = self.ending or Ending("preempted", "Ended from outside (SIGTERM)")
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
