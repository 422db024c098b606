"""The journal: events that the runner with the lease appends and that everybody reads.

After a crash of the runner, all events that it wrote are in the file. Readers skip a torn last
line, and the next runner ends it. After a power cut, at least the events that were written with
`durable` are in the file: above all the intention to send a job, before the job is sent.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import StorageError
from jupyter_gridgpu.model.events import UNREADABLE, Event, parse_line
from jupyter_gridgpu.store.json_decoder import decoder
from jupyter_gridgpu.store.opener import APPEND, plain_handle
from jupyter_gridgpu.store.tail import read_lines


class JournalReader:
    """Reads the events that were appended since the last call.

    A line that cannot be parsed, since it is torn or comes from another program, is no event.
    `cursor` is the number of bytes that were read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cursor = 0

    def grown(self) -> bool:
        """Return whether the journal has grown since the last call. This costs only one stat."""
        return self._unread_bytes() > 0

    def read(self) -> list[Event]:
        """Return the events since the last call. Raises StorageError if they cannot be read."""
        return [event for event in self.events() if event is not UNREADABLE]

    def events(self) -> Iterator[Event]:
        """Yield the events since the last call. Raises StorageError if they cannot be read.

        A line that is damaged comes as `UNREADABLE`, so that the view can count it.
        They come one by one, since a long journal would fill the memory. To fold each event as it
        comes also takes a third less time than to make a list of them first.
        """
        decode = decoder(self._unread_bytes())
        with without_garbage_collection():
            while True:
                before = self.cursor
                try:
                    lines, self.cursor = read_lines(self.path, self.cursor)
                except OSError as error:
                    raise StorageError(
                        f"The journal {self.path} cannot be read: {error.strerror}."
                    ) from None
                for line in lines:
                    event = parse_line(line, decode)
                    if event is not None:
                        yield event
                    elif line.endswith(b"}"):
                        # A line without its end was never a whole event: its runner was killed.
                        yield UNREADABLE
                # The lines come in bounded pieces. A cursor that stays is the end of the file.
                if self.cursor == before:
                    return

    def _unread_bytes(self) -> int:
        try:
            return os.stat(self.path).st_size - self.cursor
        except FileNotFoundError:
            return 0


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Keep Python's garbage collector from running inside the `with` block.

    The collector would look at every part of every event again and again, although events hold no
    reference cycles.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class JournalWriter:
    """Appends events under one term of the lease. Each call is written as a whole or not at all.

    `seq` is the number of the last event. Raises StorageError if the file cannot be opened.
    """

    def __init__(self, path: Path, seq: int, term: int) -> None:
        self.path = path
        self.seq = seq
        self.term = term
        self._handle = self._open()
        self._end_torn_line()

    def append(
        self, items: Sequence[tuple[str, Mapping[str, Any]]], *, durable: bool = False
    ) -> list[Event]:
        """Write pairs of type and data as events and return these events.

        With `durable` they are on the disk when the call returns. Raises StorageError if the disk
        refuses; then nothing of this call stays in the file, so that it remains readable.
        """
        now = time.time()
        events = [
            Event(self.seq + count, self.term, now, type_, dict(data))
            for count, (type_, data) in enumerate(items, 1)
        ]
        if not events:
            return []
        lines = [event.line() for event in events]
        self._write("".join(line + "\n" for line in lines).encode(), durable)
        self.seq += len(events)
        # What the caller folds is what every reader will fold: a value that JSON changes (a tuple,
        # NaN) is changed here as well.
        parsed = (parse_line(line.encode()) for line in lines)
        return [event for event in parsed if event is not None]

    def size(self) -> int:
        """Return how many bytes the journal has."""
        return os.fstat(self._handle).st_size

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)

    def _open(self) -> int:
        try:
            return plain_handle(self.path, APPEND)
        except OSError as error:
            raise StorageError(
                f"The journal {self.path} cannot be written: {error.strerror}."
            ) from None

    def _end_torn_line(self) -> None:
        """End the line in which an earlier runner was killed, so that ours begins a new one."""
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
            # A full disk may have taken a part. If even the shortening fails, the next runner ends
            # the torn line.
            with suppress(OSError):
                os.ftruncate(self._handle, size)
            raise StorageError(
                f"The journal {self.path} cannot be written: {error.strerror}. "
                "Free some space, then resume the scan."
            ) from None
