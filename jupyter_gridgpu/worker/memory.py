"""Measures the memory of a job, in which pages that several processes share count once.

The resident memory (RSS) of a process counts every page that it can see, so the sum over forked
processes counts shared pages many times. The proportional share (PSS) divides a page among those
that share it; control groups, by which batch systems count, come to the same sum. But the kernel
has to look at every page for it, which takes long for large processes. So it is read only where
there are several processes, and seldom if it takes long.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Sequence
from typing import Any

from jupyter_gridgpu.worker.gpu_usage import BYTES_PER_MB

# After a reading of PSS that took one second, no other one for so many seconds: 3 % of a core,
# or 10 % while the memory may be above its limit.
PAUSE_FACTOR = 30.0
HURRIED_FACTOR = 10.0
_PSS = re.compile(rb"^Pss:\s+(\d+) kB", re.MULTILINE)


class MemoryMeter:
    """Measures the memory of processes again and again, and remembers the peak, in MB."""

    def __init__(self) -> None:
        self.memory_mb = 0.0
        self.peak_mb = 0.0
        self._rss_mb = 0.0  # the sum of RSS when PSS was read
        self._pss_read = float("-inf")  # when
        self._pss_took = 0.0  # s

    def measure(self, processes: Sequence[Any], limit_mb: float | None = None) -> float:
        """Return the memory of these processes in MB; `limit_mb` is what they may have.

        While PSS is not to be read again, this is the last value, but not more than RSS.
        """
        rss = _rss(processes)
        sum_mb = sum(rss.values()) / BYTES_PER_MB
        largest_mb = max(rss.values(), default=0) / BYTES_PER_MB
        if len(rss) < 2:
            self.memory_mb = sum_mb
        elif self._pss_is_due(sum_mb, limit_mb):
            started = time.monotonic()
            # Other jobs may share pages of a forked kernel, which has them all the same.
            self.memory_mb = max(_pss(rss) / BYTES_PER_MB, largest_mb)
            self._pss_read = time.monotonic()
            self._pss_took = self._pss_read - started
            self._rss_mb = sum_mb
        else:
            self.memory_mb = max(min(self.memory_mb, sum_mb), largest_mb)
        self.peak_mb = max(self.peak_mb, self.memory_mb)
        return self.memory_mb

    def _pss_is_due(self, sum_mb: float, limit_mb: float | None) -> bool:
        waited = time.monotonic() - self._pss_read
        if waited >= PAUSE_FACTOR * self._pss_took:
            return True
        # No page can have come that RSS does not show.
        most_mb = self.memory_mb + max(sum_mb - self._rss_mb, 0.0)
        may_be_above = limit_mb is not None and most_mb > limit_mb
        return may_be_above and waited >= HURRIED_FACTOR * self._pss_took


def _rss(processes: Sequence[Any]) -> dict[int, int]:
    """Return the resident memory in bytes by number of process."""
    found = {}
    for process in processes:
        with contextlib.suppress(Exception):  # it has just ended
            found[process.pid] = process.memory_info().rss
    return found


def _pss(rss: dict[int, int]) -> int:
    """Return the sum of proportional shares in bytes; RSS counts where a share is not told."""
    total = 0
    for pid, resident in rss.items():
        try:
            with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
                share = _PSS.search(file.read())
        except (FileNotFoundError, ProcessLookupError):
            # It has ended, or this system does not tell.
            share = None
        except OSError:
            share = None
        total += int(share[1]) * 1024 if share else resident
    return total
