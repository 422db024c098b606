"""How often a batch system is asked, and how long a silence may last before the user is told.

A runner asks seldom, since one batch system serves many users. GRIDGPU_POLL_S sets another pace.
"""

from __future__ import annotations

import contextlib
import math
import os

POLL_S = 15.0  # from one question to the next; the variable GRIDGPU_POLL_S sets another
SHORTEST_S = 0.1  # the least that GRIDGPU_POLL_S may be, and
LONGEST_S = 3600.0  # the most
SLOWEST = 4  # the longest pause between questions, in units of the poll interval
SILENT_S = 60.0  # a batch system that is silent for longer is told of


def poll_interval_s() -> float:
    """Return how many seconds pass from one question to the next, as GRIDGPU_POLL_S says."""
    with contextlib.suppress(ValueError):
        wanted = float(os.environ.get("GRIDGPU_POLL_S", POLL_S))
        if math.isfinite(wanted):
            return min(max(wanted, SHORTEST_S), LONGEST_S)
    return POLL_S
