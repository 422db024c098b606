"""An opener for files that jobs wrote: it opens plain files below the scan folder, and no links."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def opener_below(root: Path) -> Callable[[str, int], int]:
    """Return an opener for `open()` that accepts only plain files below the folder `root`.

    A job may put a link, a pipe or a device where its notebook should be. The opener raises OSError
    for these, for a path that leads out of `root`, and for a missing file.
    """

    def opener(path: str, flags: int) -> int:
        folders, name = _parts_below(root, path)
        # Each folder is opened from the one before it. If the whole path was checked first and
        # opened then, a job could put a link into it between the two.
        parent = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for folder in folders:
                child = os.open(folder, FOLDER, dir_fd=parent)
                os.close(parent)
                parent = child
            # O_NONBLOCK: to open a pipe without a writer would otherwise never return.
            file_flags = flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            handle = os.open(name, file_flags, dir_fd=parent)
        finally:
            os.close(parent)
        return _require_plain(handle, path)

    return opener


def _parts_below(root: Path, path: str) -> tuple[tuple[str, ...], str]:
    """Return the folders between `root` and the file, and the file's name.

    Raises PermissionError if the path does not lie below `root`.
    """
    parts = Path(path).parts
    inner = parts[len(root.parts) :]
    if parts[: len(root.parts)] != root.parts or not inner or ".." in inner:
        raise PermissionError(errno.EACCES, "it is not in the scan's folder", path)
    return inner[:-1], inner[-1]


def _require_plain(handle: int, path: str) -> int:
    """Return the handle if it is that of a plain file, else close it and raise PermissionError."""
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise PermissionError(errno.EACCES, "it is not a plain file", path)
    return handle
