"""Limits a rate: an amount per second in the long run, and a burst of more at once."""

from __future__ import annotations

import time


class TokenBucket:
    """A bucket that fills at `rate` units a second, up to `burst` units.

    `take` removes units from the bucket. A unit is a request or a byte; the caller decides.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._level = burst
        self._filled_at = time.monotonic()

    def wait_s(self, amount: float) -> float:
        """Return the seconds until `amount` units may be taken; 0 if they may be taken now."""
        now = time.monotonic()
        self._level = min(self._level + (now - self._filled_at) * self._rate, self._burst)
        self._filled_at = now
        # A bucket never holds more than `burst` units, so for larger amounts a full one is enough.
        missing = min(amount, self._burst) - self._level
        return max(missing / self._rate, 0.0)

    def take(self, amount: float) -> None:
        """Take units out of the bucket, which must have them: call `wait_s` before."""
        self._level -= amount
