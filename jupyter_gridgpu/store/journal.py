"""The journal: events appended by the one runner that holds the lease, read by everybody."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import StorageError
from jupyter_gridgpu.model.events import Event, parse_line
from jupyter_gridgpu.store.json_decoder import decoder
from jupyter_gridgpu.store.tail import read_lines


class JournalReader:
    """Reads what was appended since the last call. A line that cannot be parsed (torn, foreign) is skipped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cursor = 0

    def grown(self) -> bool:
        """Whether there is something new: one stat, no open."""
        return self._left() > 0

    def read(self) -> list[Event]:
        """Return the events since the last call. Raises StorageError if the file cannot be read."""
        return list(self.events())

    def events(self) -> Iterator[Event]:
        """Yield the events since the last call one by one: a journal had better not be in memory as a whole.

        To fold each as it comes takes a third less time, too, than to keep a part of them first.
        """
        decode = decoder(self._left())
        with uncollected():
            while True:
                before = self.cursor
                try:
                    lines, self.cursor = read_lines(self.path, self.cursor)
                except OSError as error:
                    raise StorageError(
                        f"The journal {self.path} cannot be read: {error.strerror}."
                    ) from None
                for line in lines:
                    if (event := parse_line(line, decode)) is not None:
                        yield event
                if self.cursor == before:
                    return

    def _left(self) -> int:
        """How many bytes there are behind the cursor."""
        try:
            return os.stat(self.path).st_size - self.cursor
        except FileNotFoundError:
            return 0


@contextmanager
def uncollected() -> Iterator[None]:
    """Hold the collector of cycles back: it would look at every part of every event again and again, and find nothing."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


class JournalWriter:
    """Appends events under one term of the lease; batches are written whole or not at all."""

    def __init__(self, path: Path, seq: int, term: int) -> None:
        self.path = path
        self.seq = seq
        self.term = term
        self._handle = self._open()
        self._end_torn_line()

    def append(
        self, items: list[tuple[str, dict[str, Any]]], *, durable: bool = False
    ) -> list[Event]:
        """Write (type, data) pairs as events and return them. Raises StorageError when the disk refuses.

        After a refusal nothing of the batch stays in the file, so that it remains readable.
        """
        now = time.time()
        events = [
            Event(self.seq + i, self.term, now, type_, data)
            for i, (type_, data) in enumerate(items, 1)
        ]
        if not events:
            return []
        self._write("".join(event.line() + "\n" for event in events).encode(), durable)
        self.seq += len(events)
        return [event for line in events if (event := parse_line(line.line().encode()))]

    def size(self) -> int:
        """How many bytes the journal has."""
        return os.fstat(self._handle).st_size

    def close(self) -> None:
        os.close(self._handle)

    def _open(self) -> int:
        try:
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError(
                f"The journal {self.path} cannot be written: {error.strerror}."
            ) from None

    def _end_torn_line(self) -> None:
        size = os.fstat(self._handle).st_size
        if size and os.pread(self._handle, 1, size - 1) != b"\n":
            self._write(b"\n", durable=True)

    def _write(self, data: bytes, durable: bool) -> None:
        size = os.fstat(self._handle).st_size
        try:
            written = 0
            while written < len(data):
                written += os.write(self._handle, data[written:])
            if durable:
                os.fsync(self._handle)
        except OSError as error:
            with suppress(OSError):  # else the next runner ends the torn line
                os.ftruncate(self._handle, size)
            raise StorageError(
                f"The journal {self.path} cannot be written: {error.strerror}. Free some space, then resume the scan."
            ) from None
