"""The channels that need no network: `file`, for a disk that both sides see, and `end`."""

from __future__ import annotations

from collections.abc import Iterable

from jupyter_gridgpu.channels.metrics_file import read_readings
from jupyter_gridgpu.model.metrics import Reading
from jupyter_gridgpu.store.paths import CopyPaths, JobPaths, ScanPaths


class FileChannel:
    """Reads the metrics file of a job where the job writes it."""

    def place(self, paths: ScanPaths, key: str) -> JobPaths:
        """Return the job's own folder."""
        return paths.job(key)

    def read(self, copy: CopyPaths, cursor: int | None) -> tuple[list[Reading], int]:
        """Return the readings after byte `cursor`, and the byte behind them."""
        return read_readings(copy, cursor)

    def follow(self, keys: Iterable[str]) -> None:
        """Do nothing: the files of jobs need not be fetched."""

    def settled(self, key: str) -> bool:
        """Return True: a line is here as soon as the job has written it."""
        return True

    def notice(self) -> str | None:
        """Return None: there is nothing to fetch."""
        return None

    def close(self) -> None:
        """Do nothing: no file stays open."""


class EndChannel(FileChannel):
    """Brings nothing while a job runs. The files of a job are read when the job has ended."""

    def place(self, paths: ScanPaths, key: str) -> JobPaths:
        """Return the folder for what a job sends, which stays empty."""
        # The job's own folder may be on a disk that is not seen until the job ends.
        return paths.arrival(key)
