"""Fetches what jobs left in the spool of a schedd, in a thread, so that a runner never waits."""

from __future__ import annotations

import threading
import time

from jupyter_gridgpu.backends.htcondor.bindings import call
from jupyter_gridgpu.backends.polling import poll_interval_s
from jupyter_gridgpu.errors import GridGpuError


class SpoolFetcher:
    """Fetches the files of the jobs of one scan."""

    def __init__(self, scan: str) -> None:
        """`scan` is the id of a scan."""
        self.problem: str | None = None  # why nothing could be fetched at the last try
        self._scan = scan
        self._thread: threading.Thread | None = None
        self._fetched = 0
        self._due = 0.0  # on the monotonic clock

    def look(self) -> bool:
        """Fetch in the background if it is time to; return whether files have come since."""
        if self._thread is not None:
            if self._thread.is_alive():
                return False
            self._thread = None
            self._due = time.monotonic() + poll_interval_s()
            return self._fetched > 0
        if time.monotonic() >= self._due:
            self._thread = threading.Thread(target=self._fetch, daemon=True)
            self._thread.start()
        return False

    def _fetch(self) -> None:
        self._fetched = 0
        try:
            # Each call fetches a limited number of jobs.
            while fetched := int(call("fetch", scan=self._scan)["fetched"]):
                self._fetched += fetched
        except GridGpuError as error:
            self.problem = f"What jobs left with HTCondor cannot be fetched now: {error}"
        else:
            self.problem = None
