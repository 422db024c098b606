"""The processes of jobs, for the contracts of backends whose jobs run on this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil


class Seen(NamedTuple):
    """A living process as it was seen; it may have ended since."""

    process: psutil.Process
    command: list[str]
    environment: dict[str, str]

    @property
    def job(self) -> str:
        """The folder of the job that the process was started for, or an empty text."""
        return self.environment.get("GRIDGPU_JOB", "")

    def text(self) -> str:
        """Return what says for which job the process runs: its command line and its job."""
        return " ".join([*self.command, self.job])

    def kill(self) -> None:
        """Kill the process, if it has not ended."""
        with contextlib.suppress(psutil.Error):
            self.process.kill()


def living() -> Iterator[Seen]:
    """Yield all processes of this machine that have not ended, as far as they may be seen."""
    for process in psutil.process_iter():
        # A process may end between any two of these questions; then it is not a living one.
        with contextlib.suppress(psutil.Error, OSError):
            seen = Seen(process, process.cmdline(), process.environ())
            if process.status() != psutil.STATUS_ZOMBIE:
                yield seen


def of_job(folder: Path) -> list[Seen]:
    """Return the living processes that were started for a job, which its folder names."""
    return [seen for seen in living() if seen.job == str(folder)]
