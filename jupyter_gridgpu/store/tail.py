"""Reading a file that grows: whole new lines since a cursor, its end, or a part of it; always bounded."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Optional

CHUNK = 4 * 1024 * 1024
LINE_LIMIT = 1024 * 1024
Opener = Optional[Callable[[str, int], int]]


def read_lines(path: Path, cursor: int, opener: Opener = None) -> tuple[list[bytes], int]:
    """Return the whole lines after byte `cursor` and the cursor behind them, at most CHUNK bytes at a time.

    A line without its newline is still being written and is left for the next call; one longer than LINE_LIMIT is
    skipped. A missing file has no lines.
    """
    try:
        if os.stat(path).st_size <= cursor:
            return [], cursor
        with open(path, "rb", opener=opener) as file:
            file.seek(cursor)
            data = file.read(CHUNK)
    except FileNotFoundError:
        return [], cursor
    end = data.rfind(b"\n") + 1
    if end == 0:
        return [], cursor + (len(data) if len(data) > LINE_LIMIT else 0)
    return [line for line in data[: end - 1].split(b"\n") if len(line) <= LINE_LIMIT], cursor + end


def tail_text(path: Path, limit: int) -> str:
    """Return the end of a text file, at most `limit` bytes of it; nothing if there is no such file."""
    try:
        with open(path, "rb") as file:
            file.seek(max(os.stat(path).st_size - limit, 0))
            return file.read(limit).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


class Part(NamedTuple):
    """The text between two bytes of a file of `size` bytes."""

    text: str
    start: int
    end: int
    size: int


def text_part(path: Path, start: int | None, limit: int, opener: Opener = None) -> Part:
    """Return a part of a text file from byte `start` on, or its end; `limit` bytes at most. A missing file is empty.

    It is cut between characters, and between lines where the part has more than one, so that parts can be put together.
    """
    try:
        with open(path, "rb", opener=opener) as file:
            size = os.fstat(file.fileno()).st_size
            first = max(size - limit, 0) if start is None else min(start, size)
            file.seek(first)
            data = file.read(min(limit, size - first))
    except FileNotFoundError:
        return Part("", 0, 0, 0)
    skipped = _head(data, lines=start is None) if first else 0
    kept = data[skipped:]
    kept = kept[: _cut(kept, lines=first + len(data) < size)]
    return Part(kept.decode("utf-8", "replace"), first + skipped, first + skipped + len(kept), size)


def _head(data: bytes, lines: bool) -> int:
    """How many bytes at the beginning belong to a line, or a character, that began before."""
    line = data.find(b"\n") + 1
    if lines and 0 < line < len(data):
        return line
    return next((i for i, byte in enumerate(data[:3]) if byte & 0xC0 != 0x80), 0)


def _cut(data: bytes, lines: bool) -> int:
    """Where to end: behind the last line that is whole, or at least behind a whole character."""
    if lines and (line := data.rfind(b"\n") + 1):
        return line
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        wants = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return len(data) - back if wants > back and len(data) > back else len(data)
    return len(data)
