"""What a channel is: the way on which the metrics of jobs come to the runner while they run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from jupyter_gridgpu.model.metrics import Reading
from jupyter_gridgpu.store.paths import CopyPaths, JobPaths, ScanPaths


class Channel(Protocol):
    """Reads what a copy of a job reported since a cursor, in order, each reading once.

    A channel for jobs that share no disk brings what they sent into `ScanPaths.arrived`, in a thread of its own, and reads
    it there; the runner's tick never waits for it. When a job has ended, its own files count wherever they came back.
    """

    def place(self, paths: ScanPaths, key: str) -> JobPaths:
        """Return where the copies of a job are found while it runs."""
        ...

    def read(self, copy: CopyPaths, cursor: Any) -> tuple[list[Reading], Any]:
        """Return new readings and the cursor behind them; a first call passes None. Bounded work a call."""
        ...

    def follow(self, keys: Iterable[str]) -> None:
        """These jobs exist: what they send is theirs. Cheap; called with all that are active, again and again."""
        ...

    def settled(self, key: str) -> bool:
        """Whether all that a job sent that has ended is here. Asked until it is, or until the runner does not wait longer."""
        ...

    def notice(self) -> str | None:
        """One sentence while nothing can be fetched; None while all is well."""
        ...

    def close(self) -> None:
        """Let go of what is held."""
        ...
