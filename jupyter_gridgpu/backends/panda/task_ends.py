"""Which tasks PanDA has been told to end, and since when."""

from __future__ import annotations

import time

from jupyter_gridgpu.backends.polling import longest_pause_s


class TaskEnds:
    """Remembers what PanDA registered.

    `pending` says whether PanDA still has jobs that are to end.
    """

    def __init__(self) -> None:
        self.pending = False
        # Task -> when PanDA said that it had registered the end (monotonic clock).
        self._registered: dict[str, float] = {}

    def note(self, task: str) -> None:
        """Note that PanDA has registered the end of a task."""
        self._registered.setdefault(task, time.monotonic())

    def is_registered(self, task: str) -> bool:
        """Return whether PanDA has registered the end of a task."""
        return task in self._registered

    def is_long_registered(self, task: str) -> bool:
        """Return whether PanDA has known for some questions that a task is to end."""
        since = self._registered.get(task)
        # A job that PanDA was making when it took the end appears in one of the next answers.
        return since is not None and time.monotonic() - since >= longest_pause_s()
