"""The channels that need no network: a file system that both sides see, and none at all."""

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
        """Do nothing: the files of jobs are found where they are looked for."""

    def settled(self, key: str) -> bool:
        """Return True: what a job wrote is here as soon as it is written."""
        return True

    def notice(self) -> str | None:
        """Return None: there is nothing to fetch."""
        return None

    def close(self) -> None:
        """Do nothing: no file stays open."""


class EndChannel(FileChannel):
    """Brings nothing while a job runs. Its files are read when it has ended."""

    def place(self, paths: ScanPaths, key: str) -> JobPaths:
        """Return the folder for what a job sends, which stays empty."""
        # The job's own folder may be on a disk that is not seen until the job ends.
        return paths.arrival(key)
