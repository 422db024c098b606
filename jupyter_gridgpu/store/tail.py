"""Readers of files that grow: the lines that are new, or a part of the text. All are bounded."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO, NamedTuple

from jupyter_gridgpu.store.opener import Opener, open_plain

CHUNK = 4 * 1024 * 1024  # bytes that are read at once
LINE_LIMIT = 1024 * 1024  # bytes; a longer line is skipped
CHARACTER_BYTES = 4  # of the longest character in UTF-8


def read_lines(path: Path, cursor: int, opener: Opener | None = None) -> tuple[list[bytes], int]:
    """Return the whole lines behind byte `cursor`, and the cursor behind them.

    One call reads at most CHUNK bytes; at the end of the file the cursor stays. A missing file has
    no lines, and a line that is longer than LINE_LIMIT is skipped. Raises OSError, also for what is
    no plain file; all functions here do.
    """
    try:
        # Most calls find nothing new: one stat is cheaper than to open the file.
        if os.stat(path).st_size <= cursor:
            return [], cursor
        with open_plain(path, opener) as file:
            file.seek(cursor)
            data = file.read(CHUNK)
            end = data.rfind(b"\n") + 1
            # A line without its end is still being written and is left for the next call. One that
            # is too long already is stepped over, or it would hide all lines behind it.
            if end == 0 and len(data) > LINE_LIMIT:
                return [], _next_data(file, cursor + len(data))
    except FileNotFoundError:
        return [], cursor
    if end == 0:
        return [], cursor
    lines = [line for line in data[: end - 1].split(b"\n") if len(line) <= LINE_LIMIT]
    return lines, cursor + end


def _next_data(file: BinaryIO, cursor: int) -> int:
    """Return where the first byte is that was written at `cursor` or behind it; else the end."""
    # A file may have holes of many gigabytes, which take no place on the disk. To read all their
    # zeros would take minutes.
    if not hasattr(os, "SEEK_DATA"):
        return cursor
    try:
        return os.lseek(file.fileno(), cursor, os.SEEK_DATA)
    except OSError as error:
        # ENXIO: nothing but a hole is left. Some file systems do not know the question.
        if error.errno == errno.ENXIO:
            return max(os.fstat(file.fileno()).st_size, cursor)
        return cursor


def read_rest(path: Path, cursor: int) -> bytes:
    """Return the line behind byte `cursor` that has no end; empty if there is none or it is long.

    Raises OSError.
    """
    try:
        with open_plain(path) as file:
            file.seek(cursor)
            data = file.read(LINE_LIMIT + 1)
    except FileNotFoundError:
        return b""
    return data if len(data) <= LINE_LIMIT and b"\n" not in data else b""


def tail_text(path: Path, limit: int) -> str:
    """Return the last `limit` bytes of a text file, or "" if there is no such file.

    Raises OSError if the file cannot be read.
    """
    try:
        with open_plain(path) as file:
            file.seek(max(os.fstat(file.fileno()).st_size - limit, 0))
            return file.read(limit).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


class Part(NamedTuple):
    """The text between the bytes `start` and `end` of a file of `size` bytes."""

    text: str
    start: int
    end: int
    size: int


def text_part(path: Path, start: int | None, limit: int, opener: Opener | None = None) -> Part:
    """Return at most `limit` bytes of a text file from byte `start` on; without `start`, its end.

    The part ends between two characters, and between two lines if there is a whole line in it, so
    that the parts of a file can be put together. A missing file is empty. Raises OSError.
    """
    try:
        with open_plain(path, opener) as file:
            size = os.fstat(file.fileno()).st_size
            first = max(size - limit, 0)
            if start is not None:
                first = min(start, size)
            file.seek(first)
            data = file.read(min(limit, size - first))
    except FileNotFoundError:
        return Part("", 0, 0, 0)
    skipped = 0
    if first > 0:
        # A reader that wants the end of the file would get a line without its beginning, so that
        # line is skipped. A reader that goes on from a byte has the beginning already.
        skipped = _bytes_to_skip(data, to_next_line=start is None)
    rest = data[skipped:]
    kept = rest[: _bytes_to_keep(rest, to_last_line=first + len(data) < size)]
    begin = first + skipped
    return Part(kept.decode("utf-8", "replace"), begin, begin + len(kept), size)


def _bytes_to_skip(data: bytes, to_next_line: bool) -> int:
    """Return how many bytes belong to a line, or to a character, that began before `data`."""
    next_line = data.find(b"\n") + 1
    if to_next_line and 0 < next_line < len(data):
        return next_line
    for index, byte in enumerate(data[: CHARACTER_BYTES - 1]):
        if not _continues(byte):
            return index
    return 0


def _bytes_to_keep(data: bytes, to_last_line: bool) -> int:
    """Return where to end: behind the last whole line, or at least behind a whole character."""
    if to_last_line:
        lines = data.rfind(b"\n") + 1
        if lines > 0:
            return lines
    for count in range(1, min(CHARACTER_BYTES, len(data)) + 1):
        byte = data[-count]
        if _continues(byte):
            continue
        # `data` ends with `count` bytes of this character. If it has more of them, it is still
        # being written and left for the next part; unless nothing would be left of this one.
        if _character_bytes(byte) > count and len(data) > count:
            return len(data) - count
        break
    return len(data)


def _continues(byte: int) -> bool:
    """Return whether a byte of UTF-8 continues a character."""
    return byte & 0xC0 == 0x80


def _character_bytes(first: int) -> int:
    """Return how many bytes a character of UTF-8 has, by its first byte."""
    if first >= 0xF0:
        return 4
    if first >= 0xE0:
        return 3
    if first >= 0xC0:
        return 2
    return 1
