"""The feed: the one thread of a kernel that sends the changes of scans to their tables."""

from __future__ import annotations

import threading
import time
from typing import Protocol

EVERY_S = 0.05  # seconds between two updates of a table


class Table(Protocol):
    """A table that is kept up to date."""

    def update(self) -> bool:
        """Send changes to the browser. Return whether more may come."""
        ...


class Feed:
    """Updates tables in one thread. The thread ends when the scans of all tables have ended."""

    def __init__(self) -> None:
        self._tables: list[Table] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, table: Table) -> None:
        """Update a table from now on, until its update() says that no more will come."""
        with self._lock:
            if table not in self._tables:
                self._tables.append(table)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="gridgpu-feed", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            with self._lock:
                tables = list(self._tables)
                if not tables:
                    # Set under the lock: a table that is added now finds no thread and starts one.
                    self._thread = None
                    return
            ended = [table for table in tables if not _update(table)]
            with self._lock:
                self._tables = [table for table in self._tables if table not in ended]
            time.sleep(EVERY_S)


def _update(table: Table) -> bool:
    """Update a table. Return whether more changes may come."""
    try:
        return table.update()
    except Exception:
        # A table that breaks is dropped. It must not end the thread, which updates other tables.
        return False


FEED = Feed()
