"""The feed: the one thread in a kernel that brings what the journals gain to the tables on screen."""

from __future__ import annotations

import threading
import time
from typing import Protocol

EVERY_S = 0.05


class Table(Protocol):
    """What the feed feeds."""

    def update(self) -> bool:
        """Send what is new; whether more may come."""
        ...


class Feed:
    """Runs while there is a table whose scan has not ended."""

    def __init__(self) -> None:
        self._tables: list[Table] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, table: Table) -> None:
        """Feed a table from now on, until its update() says that no more will come."""
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
                    self._thread = None
                    return
            ended = [table for table in tables if not _updated(table)]
            with self._lock:
                self._tables = [table for table in self._tables if table not in ended]
            time.sleep(EVERY_S)


def _updated(table: Table) -> bool:
    """Whether a table wants more; one that breaks does not take the others along."""
    try:
        return table.update()
    except Exception:
        return False


FEED = Feed()
