"""Opening what a job wrote: plain files below the scan folder, reached through no link."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def opener_below(root: Path) -> Callable[[str, int], int]:
    """Return an opener for `open()` that refuses, with OSError, whatever is not a plain file below `root`.

    A job may put a link, a pipe or a device where its notebook should be. Each part of the way is opened from the one
    before it, so that nothing can be exchanged between a check and its use.
    """

    def opener(path: str, flags: int) -> int:
        folders, name = _way(root, path)
        at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for folder in folders:
                inner = os.open(folder, FOLDER, dir_fd=at)
                os.close(at)
                at = inner
            handle = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
        finally:
            os.close(at)
        return _plain(handle, path)

    return opener


def _way(root: Path, path: str) -> tuple[tuple[str, ...], str]:
    parts = Path(path).parts[len(root.parts) :]
    if Path(path).parts[: len(root.parts)] != root.parts or not parts or ".." in parts:
        raise PermissionError(errno.EACCES, "it is not in the scan's folder", path)
    return parts[:-1], parts[-1]


def _plain(handle: int, path: str) -> int:
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise PermissionError(errno.EACCES, "it is not a plain file", path)
    return handle
