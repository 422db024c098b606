"""The feed: the one thread of a kernel that brings changes of scans to the tables on the screen."""

from __future__ import annotations

import threading
import time
from typing import Protocol

EVERY_S = 0.05  # seconds between two updates of a table


class Table(Protocol):
    """A table that is kept up to date."""

    def update(self) -> bool:
        """Send what is new to the browser; returns whether more may come."""
        ...


class Feed:
    """Updates tables in one thread, which ends when no table is left whose scan goes on."""

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
    """Update a table; returns whether more may come."""
    try:
        return table.update()
    except Exception:
        # A table that breaks is given up, and must not end the thread of the others.
        return False


FEED = Feed()
