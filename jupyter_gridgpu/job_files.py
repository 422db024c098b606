"""The files of a job: its log, its metrics, its notebook.

A job wrote these files, and a job may run anybody's code. So only plain
files are opened (opener.py), and they are read in bounded parts.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from jupyter_gridgpu.curve_cache import CurveCache
from jupyter_gridgpu.errors import StorageError
from jupyter_gridgpu.model.curves import Curves
from jupyter_gridgpu.store.opener import open_plain, opener_below
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.store.tail import Part, text_part

_CURVES = CurveCache()


class JobFiles:
    """The files of one job; where it has several copies, those of the newest one.

    All methods raise StorageError if a file is there and cannot be read.
    """

    def __init__(self, paths: ScanPaths, key: str) -> None:
        self.key = key
        self._job = paths.job(key)
        self._arrived = paths.arrival(key)
        self._opener = opener_below(paths.folder)

    def log(self, start: int | None, limit: int) -> Part:
        """Return at most `limit` bytes of the log from byte `start` on, or its end."""
        path = self._job.log
        copies = self._job.copies()
        if copies:
            path = copies[-1].log
        try:
            return text_part(path, start, limit, self._opener)
        except OSError as error:
            raise self._refused("log", error) from None

    def curves(self, points: int) -> Curves:
        """Return all that the job reported, thinned to `points` while it is read."""
        path = self._metrics()
        if path is None:
            return Curves(points)
        try:
            return _CURVES.read(path, points, self._opener)
        except OSError as error:
            raise self._refused("metrics", error) from None

    def notebook(self) -> Path | None:
        """Return the notebook that was saved last, finished or partial; None if there is none."""
        # A notebook that came back with the job is newer than one that the job sent while it ran.
        copies = [*self._arrived.copies(), *self._job.copies()]
        for copy in reversed(copies):
            if _is_plain(copy.notebook):
                return copy.notebook
        return None

    def open(self, path: Path) -> BinaryIO:
        """Open a file of the job for reading."""
        try:
            return open_plain(path, self._opener)
        except OSError as error:
            raise self._refused(path.name, error) from None

    def _metrics(self) -> Path | None:
        """Return the metrics file of the newest copy, or None if there is no copy."""
        copies = self._job.copies()
        # Where jobs share no disk, their own files come at the end, or never. Until then, only the
        # files that they sent are here.
        arrived = self._arrived.copies()
        if arrived and not any(os.path.lexists(copy.metrics) for copy in copies):
            copies = arrived
        if not copies:
            return None
        return copies[-1].metrics

    def _refused(self, what: str, error: OSError) -> StorageError:
        return StorageError(f"The {what} of {self.key} cannot be read: {error.strerror}.")


def _is_plain(path: Path) -> bool:
    """Return whether a path is a file, and neither a link nor a device."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False
