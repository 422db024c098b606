"""The protocol of channels, the ways on which metrics come to the runner while jobs run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from jupyter_gridgpu.model.metrics import Reading
from jupyter_gridgpu.store.paths import CopyPaths, JobPaths, ScanPaths


class Channel(Protocol):
    """Reads what the copies of jobs report, in order, and each reading once.

    A channel for jobs that share no disk has a thread that fetches what the jobs sent into
    `ScanPaths.arrived`. The runner reads it there, so that its tick never waits for a network. When
    a job has ended and its own files are here, these count instead.
    """

    def place(self, paths: ScanPaths, key: str) -> JobPaths:
        """Return the folder in which the copies of a job are found while it runs."""
        ...

    def read(self, copy: CopyPaths, cursor: Any) -> tuple[list[Reading], Any]:
        """Return the readings after `cursor`, and the cursor to pass next time.

        The first call passes None. A call does a bounded amount of work.
        """
        ...

    def follow(self, keys: Iterable[str]) -> None:
        """Accept what these jobs send.

        The runner calls this in each tick with the keys of all active jobs, so it must be cheap.
        """
        ...

    def settled(self, key: str) -> bool:
        """Return whether everything that an ended job sent is here.

        The runner calls this again until it returns True, or until it has waited long enough.
        """
        ...

    def notice(self) -> str | None:
        """Return a sentence for the user while nothing can be fetched; None while all is well."""
        ...

    def close(self) -> None:
        """Release threads and files."""
        ...
