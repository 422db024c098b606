"""Starts the runner of a scan again when it has died: a few times, with growing pauses."""

from __future__ import annotations

import time

from jupyter_gridgpu.client import RESPAWNS, ScanHandle
from jupyter_gridgpu.errors import StorageError
from jupyter_gridgpu.model.job import one_line

STEADY_S = 600.0  # a runner that lived this long died of a new cause: the count begins anew
NOTE_S = 60.0  # for how long the note says that a runner was started again
PAUSE_FACTOR = 4  # each pause between two starts is longer than the last one by this factor
LAST_LINE_LIMIT = 200  # characters of the runner's log that a note quotes


class Respawner:
    """Starts the runner of one scan again.

    `tries` counts the starts since the last reset. `note` is the sentence for the user: that the
    runner was started again, or why it is not started any more; None if there is nothing to say.
    """

    def __init__(self, pause_s: float) -> None:
        """`pause_s` is the number of seconds between the first and the second start."""
        self._pause_s = pause_s
        self.reset()

    def reset(self) -> None:
        """Forget earlier starts, so that the runner gets all its tries again."""
        self.tries = 0
        self.note: str | None = None
        self._started_at = 0.0
        self._next_start = 0.0

    def check(self, handle: ScanHandle, state: str) -> str:
        """Start a runner if the scan is orphaned and tries are left.

        `state` is the state of the scan. Returns its state afterwards.
        """
        now = time.monotonic()
        # The note stays for a while, so that a user who looks away for a moment still sees it.
        if state != "orphaned":
            if now - self._started_at > NOTE_S:
                self.note = None
            return state
        self.note = handle.foreign
        if self.note is not None:
            return state
        if self.tries and now - self._started_at > STEADY_S:
            self.reset()
        if self.tries >= RESPAWNS:
            # A runner that dies each time would be started for ever, so the user has to act.
            self.note = f"Its runner ended {self.tries} times; {_last_log_line(handle)}"
            return state
        if now < self._next_start:
            return state
        return self._start_runner(handle, now)

    def _start_runner(self, handle: ScanHandle, now: float) -> str:
        self._started_at = now
        self._next_start = now + self._pause_s * PAUSE_FACTOR**self.tries
        self.tries += 1
        self.note = "Its runner ended; it was started again."
        try:
            handle.revive()
        except (StorageError, OSError) as error:
            self.note = one_line(str(error))
        return handle.state


def _last_log_line(handle: ScanHandle) -> str:
    """Return the last line of the runner's log as the end of a sentence."""
    lines = handle.runner_log().strip().splitlines()
    if lines and (last_line := one_line(lines[-1], LAST_LINE_LIMIT)):
        return f"last words: {last_line}"
    return "it said nothing."
