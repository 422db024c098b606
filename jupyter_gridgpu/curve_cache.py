"""The curves of jobs that were read lately, so that a look at them again reads only what is new.

A metrics file may hold millions of readings. They are thinned while they are read, so what is kept
of each job is small, with the number of bytes that it stands for. A file that has only grown is
read on from there.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from jupyter_gridgpu.channels.metrics_file import parse_reading
from jupyter_gridgpu.model.curves import Curves
from jupyter_gridgpu.store.json_decoder import decoder
from jupyter_gridgpu.store.opener import Opener, open_plain
from jupyter_gridgpu.store.tail import read_lines

METRICS_BYTES = 512 * 1024 * 1024  # so much of a metrics file is read; a worker writes less
ENTRIES = 16  # jobs whose curves are kept
END_BYTES = 256  # of what was read; by them a file is known again


@dataclass
class _Kept:
    """What was read of a file: the file's inode, size and time of change, and how far it went."""

    curves: Curves
    stamp: tuple[int, int, int] | None = None
    cursor: int = 0
    end: bytes = b""  # the last END_BYTES before the cursor


class CurveCache:
    """Reads the curves of jobs. It may be used by several threads."""

    def __init__(self, entries: int = ENTRIES) -> None:
        """Keep the curves of at most so many files."""
        self._entries = entries
        self._kept: OrderedDict[tuple[str, int], _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, path: Path, points: int, opener: Opener) -> Curves:
        """Return the curves in a metrics file, each thinned to `points`. Raises OSError.

        A file that is not there has no curves.
        """
        key = str(path), points
        with self._lock:
            kept = self._kept.pop(key, None)
            if kept is None or not _goes_on(path, kept, opener):
                kept = _Kept(Curves(points))
            _read_on(path, kept, opener)
            self._kept[key] = kept
            while len(self._kept) > self._entries:
                self._kept.popitem(last=False)
            # The next look may go on while the caller still uses what this one found.
            return kept.curves.copy()


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _goes_on(path: Path, kept: _Kept, opener: Opener) -> bool:
    """Return whether a file is as it was, or has only grown. Raises OSError."""
    stamp = _stamp(path)
    if stamp == kept.stamp:
        return True
    if stamp is None or kept.stamp is None or stamp[0] != kept.stamp[0]:
        return False
    return stamp[1] >= kept.cursor and _end_before(path, kept.cursor, opener) == kept.end


def _end_before(path: Path, cursor: int, opener: Opener) -> bytes:
    """Return the last END_BYTES before a place in a file. Raises OSError."""
    with open_plain(path, opener) as file:
        file.seek(max(cursor - END_BYTES, 0))
        return file.read(min(END_BYTES, cursor))


def _read_on(path: Path, kept: _Kept, opener: Opener) -> None:
    """Read what is behind the cursor, if there is more. Raises OSError."""
    stamp = _stamp(path)
    if stamp is None or stamp == kept.stamp:
        return
    decode = decoder(stamp[1] - kept.cursor)
    started = kept.cursor
    while kept.cursor < METRICS_BYTES:
        before = kept.cursor
        lines, kept.cursor = read_lines(path, kept.cursor, opener)
        readings = (parse_reading(line, decode) for line in lines)
        kept.curves.take(reading for reading in readings if reading is not None)
        if kept.cursor == before:
            break
    if kept.cursor != started:
        kept.end = _end_before(path, kept.cursor, opener)
    kept.stamp = stamp
