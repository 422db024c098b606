"""A rate that is granted: so much a second in the long run, and so much at once."""

from __future__ import annotations

import time


class TokenBucket:
    """Fills at `rate` a second up to `burst`; what is taken leaves it."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._level, self._at = burst, time.monotonic()

    def wait_s(self, amount: float) -> float:
        """Return the seconds until so much may be taken; nothing waits for more than a full bucket."""
        now = time.monotonic()
        self._level, self._at = min(self._level + (now - self._at) * self._rate, self._burst), now
        return max((min(amount, self._burst) - self._level) / self._rate, 0.0)

    def take(self, amount: float) -> None:
        self._level -= amount
