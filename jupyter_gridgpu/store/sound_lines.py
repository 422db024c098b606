"""Reads the lines of a file of a scan that never changes after it was written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from jupyter_gridgpu.errors import GridGpuError, StorageError
from jupyter_gridgpu.store.opener import open_plain
from jupyter_gridgpu.store.tail import LINE_LIMIT

T = TypeVar("T")


def sound_lines(path: Path, what: str, parsed: Callable[[str | bytes], T]) -> Iterator[T]:
    """Yield what `parsed` makes of each line of a file; `what` names the file in errors.

    Raises StorageError if the file cannot be read, or if `parsed` raises KeyError, TypeError,
    ValueError or an error of this package.
    """
    try:
        with open_plain(path) as file:
            while line := file.readline(LINE_LIMIT + 1):
                yield parsed(line)
    except OSError as error:
        raise StorageError(f"{what}, {path}, cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, RecursionError, GridGpuError):
        raise not_sound(path, what) from None


def not_sound(path: Path, what: str) -> StorageError:
    """Return the error that somebody has changed a file."""
    return StorageError(f"{what}, {path}, are not sound: the file was changed.")
