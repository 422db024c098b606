"""How often a batch system is asked, and how long it may be silent before the user is told.

A runner asks seldom, since one batch system serves many users.
"""

from __future__ import annotations

import contextlib
import math
import os

POLL_S = 15.0  # from one question to the next, where GRIDGPU_POLL_S sets no other interval
SHORTEST_POLL_S = 0.1  # the smallest value of GRIDGPU_POLL_S that is taken
LONGEST_POLL_S = 3600.0  # the largest value that is taken
LONGEST_PAUSE_POLLS = 4  # the longest pause between two questions, in poll intervals
SILENT_S = 60.0  # the user is told of a batch system that is silent for longer


def longest_pause_s() -> float:
    """Return the most seconds between two questions, while nothing changes or nobody answers."""
    return LONGEST_PAUSE_POLLS * poll_interval_s()


def silence_limit_s() -> float:
    """Return after how many seconds of silence the user is told that nobody answers."""
    # Where the poll interval is short, the user hears of a silence sooner.
    return min(SILENT_S, longest_pause_s())


def poll_interval_s() -> float:
    """Return how many seconds pass from one question to the next.

    The variable GRIDGPU_POLL_S sets them; a value that is no number is ignored.
    """
    with contextlib.suppress(ValueError):
        wanted = float(os.environ.get("GRIDGPU_POLL_S", POLL_S))
        if math.isfinite(wanted):
            return min(max(wanted, SHORTEST_POLL_S), LONGEST_POLL_S)
    return POLL_S
