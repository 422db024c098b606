"""The log of a job, written in blocks and bounded.

The log is the standard output of the worker, since the kernel and what it starts print there, too.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Sequence

LOG_LIMIT = 16 * 1024 * 1024  # bytes of what a notebook printed
WORDS_LIMIT = LOG_LIMIT + 1024 * 1024  # bytes; up to here the worker may still say something
END_LIMIT = 256 * 1024  # characters of the end of the output that are kept for the end of the log
BLOCK = 64 * 1024  # characters that are gathered before they are written
FLUSH_EVERY_S = 0.2  # whoever watches a log sees a line at most so late


class JobLog:
    """Gathers lines and writes them in blocks. All methods may be called from any thread.

    A log that is full ends with the last lines all the same: `close` writes them.
    """

    def __init__(self, handle: int = 1) -> None:
        """Write to an open file, which is the standard output if no other is given."""
        self._handle = handle
        self._lock = threading.RLock()
        self._lines: list[str] = []
        self._gathered = 0  # characters of _lines
        self._flush_at = 0.0
        self._end: deque[str] = deque()
        self._end_size = 0  # characters of _end
        self._left_out = 0  # lines

    @property
    def full(self) -> bool:
        """Whether some lines were left out."""
        return bool(self._left_out or self._end)

    def say(self, line: str) -> None:
        """Write a line of the worker's own at once, also into a log that is full of output."""
        with self._lock:
            self.flush()
            self._write(f"{line}\n", WORDS_LIMIT)

    def add(self, lines: Sequence[str]) -> None:
        """Add lines that the notebook printed; they are written soon, or when they are a block."""
        if not lines:
            return
        with self._lock:
            if not self._lines:
                self._flush_at = time.monotonic() + FLUSH_EVERY_S
            self._lines.extend(lines)
            self._gathered += sum(map(len, lines))
            if self._gathered >= BLOCK:
                self.flush()
            else:
                self.flush_if_due()

    def flush_if_due(self) -> None:
        """Write what has waited for FLUSH_EVERY_S."""
        if self._lines and time.monotonic() >= self._flush_at:
            self.flush()

    def flush(self) -> None:
        """Write all lines that were gathered."""
        with self._lock:
            lines, self._lines, self._gathered = self._lines, [], 0
            if not lines:
                return
            if self.full or not self._write("\n".join(lines) + "\n", LOG_LIMIT):
                self._leave_out(lines)

    def close(self) -> None:
        """Write what was gathered and, where lines were left out, how many and the last of them."""
        with self._lock:
            self.flush()
            if not self.full:
                return
            if self._left_out:
                self._write(f"... {self._left_out:,} lines left out ...\n", WORDS_LIMIT)
            self._write("\n".join([*self._end, ""]), WORDS_LIMIT)
            self._end.clear()
            self._end_size = self._left_out = 0

    def _leave_out(self, lines: Sequence[str]) -> None:
        """Keep the last lines in memory, and count the others."""
        if not self.full:
            limit_mb = LOG_LIMIT // 2**20
            self._write(
                f"The log has {limit_mb} MB; of what follows it gets the end.\n", WORDS_LIMIT
            )
        self._end.extend(lines)
        self._end_size += sum(map(len, lines))
        while self._end_size > END_LIMIT and len(self._end) > 1:
            self._end_size -= len(self._end.popleft())
            self._left_out += 1

    def _write(self, text: str, limit: int) -> bool:
        """Write a text; return False if the log is too long for it.

        A full disk costs lines of the log, not the training.
        """
        with contextlib.suppress(OSError):
            if os.fstat(self._handle).st_size >= limit:
                return False
            rest = memoryview(text.encode("utf-8", "replace"))
            while rest:
                rest = rest[os.write(self._handle, rest) :]
        return True
