"""Starting the runner of a scan again when it has died: a few times, with growing pauses."""

from __future__ import annotations

import time

from jupyter_gridgpu.client import RESPAWNS, ScanHandle
from jupyter_gridgpu.errors import StorageError
from jupyter_gridgpu.model.job import bounded

STEADY_S = 600.0  # a runner that lived this long died of something new
SAID_S = 60.0  # how long it is said that a runner was started again
WORDS_LIMIT = 200


class Respawner:
    """Looks after one runner. `note` says, when it gives up, why."""

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self.reset()

    def reset(self) -> None:
        """Begin anew: somebody asked for it."""
        self.tries = 0
        self.note: str | None = None
        self._last = self._next = 0.0

    def look(self, handle: ScanHandle, state: str) -> str:
        """Start a runner if the scan has none and may have one; return the state of the scan behind that."""
        now = time.monotonic()
        if state != "orphaned":
            if now - self._last > SAID_S:
                self.note = None
            return state
        if self.tries and now - self._last > STEADY_S:
            self.reset()
        if self.tries >= RESPAWNS:
            self.note = f"Its runner ended {self.tries} times; {_last_words(handle)}"
        elif now >= self._next:
            return self._revive(handle, now)
        return state

    def _revive(self, handle: ScanHandle, now: float) -> str:
        self._last, self._next = now, now + self._pause_s * 4**self.tries
        self.tries += 1
        self.note = "Its runner ended; it was started again."
        try:
            handle.revive()
        except (StorageError, OSError) as error:
            self.note = bounded(str(error))
        return handle.state


def _last_words(handle: ScanHandle) -> str:
    lines = handle.runner_log().strip().splitlines()
    words = bounded(lines[-1], WORDS_LIMIT) if lines else None
    return f"last words: {words}" if words else "it said nothing."
