"""Sees that this machine has slept, or that its clock of the day was set."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jupyter_gridgpu.model import events

LEAST_S = 60.0  # less is not recorded: it falsifies no duration that anybody reads


class ClockTimes(NamedTuple):
    """What three clocks of this machine say at one moment, in seconds."""

    day: float  # since the epoch; it may be set at any time
    boot: float  # it only goes on, also while the machine sleeps
    awake: float  # it only goes on, and stands still while the machine sleeps


def read_clocks() -> ClockTimes | None:
    """Return what the clocks say, or None where the system has no such clocks."""
    # Elsewhere than on Linux, CLOCK_MONOTONIC may go on while the machine sleeps.
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return None
    boot = time.clock_gettime(time.CLOCK_BOOTTIME)
    return ClockTimes(time.time(), boot, time.clock_gettime(time.CLOCK_MONOTONIC))


class ClockWatch:
    """Compares the clocks with each other, and says how they have moved apart."""

    def __init__(self, read: Callable[[], ClockTimes | None] = read_clocks) -> None:
        """Take what the clocks say now as the beginning."""
        self._read = read
        self._asleep_s, self._day_s = _differences(read())

    def news(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Return events, as pairs of type and data, of what has happened since the last ones."""
        asleep_s, day_s = _differences(self._read())
        found: list[tuple[str, Mapping[str, Any]]] = []
        if asleep_s - self._asleep_s >= LEAST_S:
            found.append((events.MACHINE_SLEPT, {"s": round(asleep_s - self._asleep_s, 1)}))
            self._asleep_s = asleep_s
        if abs(day_s - self._day_s) >= LEAST_S:
            found.append((events.CLOCK_SET, {"by_s": round(day_s - self._day_s, 1)}))
            self._day_s = day_s
        return found


def _differences(times: ClockTimes | None) -> tuple[float, float]:
    """Return how long the machine has slept, and how far the clock of the day is ahead.

    Both are in seconds, and from a beginning that stays the same.
    """
    if times is None:
        return 0.0, 0.0
    return times.boot - times.awake, times.day - times.boot
