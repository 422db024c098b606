"""Opens files that others may have written or replaced: plain files alone, and no links.

A scan folder, a job's folder, a pack or a home may hold a pipe, a device, a socket or a link at the
name of any of our files. To open or read such a thing could wait for ever, or lead to a file that
has nothing to do with the scan. So the product opens all files of such folders here.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Union, cast

COPIED_AT_ONCE = 1024 * 1024  # bytes
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: to open a pipe that nobody else has open would otherwise never return.
CAREFUL = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL  # a file that must be new
APPEND = os.O_RDWR | os.O_CREAT | os.O_APPEND
LOCK = os.O_RDWR | os.O_CREAT
# What Linux answers for a link and for a socket, or for a pipe that nobody reads.
_NOT_PLAIN = (errno.ELOOP, errno.ENXIO)
AnyPath = Union[str, Path]
Opener = Callable[[str, int], int]


def plain_handle(path: AnyPath, flags: int = os.O_RDONLY, mode: int = 0o600) -> int:
    """Return a handle of a plain file; it is no link, and opening it never waits.

    Raises OSError, also if something else than a plain file has that name.
    """
    try:
        handle = os.open(path, flags | CAREFUL, mode)
    except OSError as error:
        raise _clear(error, path) from None
    _require_plain(handle, path)
    # The programs that get such a handle as their output expect it as it usually is.
    os.set_blocking(handle, True)
    return handle


def plain_opener(path: str, flags: int) -> int:
    """Open a plain file; this is an opener for `open()`. Raises OSError."""
    # 0o666 is what `open()` itself takes: the umask of the process decides.
    return plain_handle(path, flags, 0o666)


def users_opener(path: str, flags: int) -> int:
    """Open a file that the user has named: a plain file, or a link to one. Raises OSError."""
    try:
        handle = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise _clear(error, path) from None
    return _require_plain(handle, path)


def opener_below(root: Path) -> Opener:
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
            handle = os.open(name, flags | CAREFUL, dir_fd=parent)
        except OSError as error:
            raise _clear(error, path) from None
        finally:
            os.close(parent)
        return _require_plain(handle, path)

    return opener


def open_plain(path: AnyPath, opener: Opener | None = None) -> BinaryIO:
    """Open a plain file for reading bytes; another opener of this module may be given.

    Raises OSError, also for a link, a pipe, a device, a socket and a folder.
    """
    return cast(BinaryIO, open(path, "rb", opener=opener or plain_opener))


def open_users(path: AnyPath) -> BinaryIO:
    """Open a file that the user has named for reading bytes; it may be a link to a plain file.

    Raises OSError.
    """
    return open_plain(path, users_opener)


def read_bounded(path: AnyPath, limit: int, opener: Opener | None = None) -> bytes:
    """Return all bytes of a plain file. Raises OSError, also if there are more than `limit`."""
    with open_plain(path, opener) as file:
        # One byte more than the limit is read, since a file may grow between the question for its
        # size and the reading. The question spares the reading of a file that is far too large.
        if os.fstat(file.fileno()).st_size <= limit:
            data = file.read(limit + 1)
            if len(data) <= limit:
                return data
    raise OSError(errno.EFBIG, f"it has more than {limit:,} bytes", str(path))


def holds(path: AnyPath, content: bytes) -> bool:
    """Return whether a file is a plain one with just this content."""
    try:
        return read_bounded(path, len(content)) == content
    except OSError:
        return False


def read_start(path: AnyPath, limit: int, opener: Opener | None = None) -> bytes:
    """Return at most the first `limit` bytes of a plain file. Raises OSError."""
    with open_plain(path, opener) as file:
        return file.read(limit)


def open_new(path: AnyPath, mode: int = 0o666) -> BinaryIO:
    """Make a new file. Raises FileExistsError if anything has that name, else OSError."""
    return os.fdopen(plain_handle(path, CREATE, mode), "wb")


def create_plain(path: AnyPath, data: bytes, mode: int = 0o666) -> None:
    """Write a new file. Raises FileExistsError if anything has that name, else OSError."""
    with open_new(path, mode) as file:
        file.write(data)


def copy_file(source: AnyPath, target: AnyPath) -> None:
    """Copy what is in a file that the user has named into a new file. Raises OSError."""
    with open_users(source) as original, open_new(target) as copy:
        shutil.copyfileobj(original, copy, COPIED_AT_ONCE)


def append_plain(path: AnyPath, data: bytes) -> None:
    """Add to the end of a plain file, which is made if there is none. Raises OSError."""
    with os.fdopen(plain_handle(path, APPEND), "ab") as file:
        file.write(data)


def _parts_below(root: Path, path: str) -> tuple[tuple[str, ...], str]:
    """Return the folders between `root` and the file, and the file's name.

    Raises PermissionError if the path does not lie below `root`.
    """
    parts = Path(path).parts
    inner = parts[len(root.parts) :]
    if parts[: len(root.parts)] != root.parts or not inner or ".." in inner:
        raise PermissionError(errno.EACCES, "it is not in the scan's folder", path)
    return inner[:-1], inner[-1]


def _clear(error: OSError, path: AnyPath) -> OSError:
    """Return the error, or one that says in words that the path is no plain file."""
    if error.errno in _NOT_PLAIN:
        return PermissionError(errno.EACCES, "it is not a plain file", str(path))
    return error


def _require_plain(handle: int, path: AnyPath) -> int:
    """Return the handle if it is that of a plain file, else close it and raise PermissionError."""
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise PermissionError(errno.EACCES, "it is not a plain file", str(path))
    return handle
