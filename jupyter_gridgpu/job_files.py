"""What a job left in its folder: log, curves, notebook. A job wrote it, so it is opened with care and read bounded."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO, cast

from jupyter_gridgpu.channels.file import parse
from jupyter_gridgpu.errors import StorageError
from jupyter_gridgpu.model.curves import Curves
from jupyter_gridgpu.store.opener import opener_below
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.store.tail import Part, read_lines, text_part

METRICS_BYTES = 512 * 1024 * 1024  # more than a worker writes


class JobFiles:
    """The files of one attempt, of its newest copy where there are several. All raise StorageError for what is not sound."""

    def __init__(self, paths: ScanPaths, key: str) -> None:
        self.key = key
        self._job, self._arrived = paths.job(key), paths.arrival(key)
        self._opener = opener_below(paths.folder)

    def log(self, start: int | None, limit: int) -> Part:
        """Return the part of the log from byte `start` on, or its end."""
        copies = self._job.copies()
        try:
            return text_part(
                copies[-1].log if copies else self._job.log, start, limit, self._opener
            )
        except OSError as error:
            raise self._refused("log", error) from None

    def curves(self, points: int) -> Curves:
        """Read all that the job reported, thinned to `points` while reading."""
        curves, path, cursor = Curves(points), self._metrics(), 0
        while path and cursor < METRICS_BYTES:
            before = cursor
            try:
                lines, cursor = read_lines(path, cursor, self._opener)
            except OSError as error:
                raise self._refused("metrics", error) from None
            curves.take(reading for line in lines if (reading := parse(line)) is not None)
            if cursor == before:
                break
        return curves

    def notebook(self) -> Path | None:
        """Return the newest notebook that was saved, finished or partial."""
        copies = [
            *self._arrived.copies(),
            *self._job.copies(),
        ]  # what came back with the job counts
        return next((copy.notebook for copy in reversed(copies) if _is_plain(copy.notebook)), None)

    def _metrics(self) -> Path | None:
        """The metrics file of the newest copy; of a job whose files are not here, what came of it while it ran."""
        own, came = self._job.copies(), self._arrived.copies()
        chosen = came if came and not any(os.path.lexists(copy.metrics) for copy in own) else own
        return chosen[-1].metrics if chosen else None

    def open(self, path: Path) -> BinaryIO:
        """Open a file of the job to read."""
        try:
            return cast(BinaryIO, open(path, "rb", opener=self._opener))
        except OSError as error:
            raise self._refused(path.name, error) from None

    def _refused(self, what: str, error: OSError) -> StorageError:
        return StorageError(f"The {what} of {self.key} cannot be read: {error.strerror}.")


def _is_plain(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False
