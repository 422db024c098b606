"""Reading a file that grows: whole new lines since a cursor, bounded."""

from __future__ import annotations

import os
from pathlib import Path

CHUNK = 4 * 1024 * 1024
LINE_LIMIT = 1024 * 1024


def read_lines(path: Path, cursor: int) -> tuple[list[bytes], int]:
    """Return the whole lines after byte `cursor` and the cursor behind them, at most CHUNK bytes at a time.

    A line without its newline is still being written and is left for the next call; one longer than LINE_LIMIT is
    skipped. A missing file has no lines.
    """
    try:
        if os.stat(path).st_size <= cursor:
            return [], cursor
        with open(path, "rb") as file:
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
