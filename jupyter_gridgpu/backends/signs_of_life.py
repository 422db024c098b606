"""For how long jobs on other hosts have given no sign of life."""

from __future__ import annotations

import time
from collections.abc import Callable

# A sign of life that looks older than this when it is first seen is really old: the clocks of two
# hosts do not differ by so much.
LONG_AGO_S = 3600.0
# A worker gives a sign every 20 s while a cell runs, and shared disks may be late by a minute.
SILENT_S = 180.0


class SignsOfLife:
    """When each job on another host last gave a sign of life.

    The clocks of two hosts differ, and this host may have slept. So a sign counts from the moment
    when it was first seen here, on `clock`.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[float, float]] = {}  # key -> the sign, when it was first seen

    def silent_s(self, key: str, sign: float) -> float:
        """Return for how many seconds a job has given no sign but `sign`."""
        last, seen_at = self._seen.get(key, (None, 0.0))
        if last != sign:
            seen_at = self._clock()
            age_s = time.time() - sign
            if last is None and age_s > LONG_AGO_S:
                seen_at -= age_s
            self._seen[key] = sign, seen_at
        return self._clock() - seen_at

    def forget(self, key: str) -> None:
        """Forget a job that has ended."""
        self._seen.pop(key, None)
