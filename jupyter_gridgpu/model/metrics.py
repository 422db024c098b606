"""Metrics as jobs report them: names and values are bounded, and series are made short.

A job runs other people's code, so it may report any number of metrics, with any names and values.
The functions here bound what is kept of them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.objective import Objective

T = TypeVar("T")
NAME_LIMIT = 80  # characters
NAMES_PER_JOB = 64
TRAIL_LIMIT = 48  # values of a sparkline
USAGE = ("cpu", "memory_mb", "gpu", "gpu_memory_mb")


@dataclass(frozen=True)
class Reading:
    """What a job reported at one moment: values of metrics at a step, or its usage."""

    time: float  # seconds since the epoch
    step: int | None  # the epoch, or whatever the notebook counts
    steps: int | None  # how many there will be
    values: dict[str, float]  # by metric
    # By the names in USAGE: cores, MB, per cent of the GPU, MB of the GPU.
    usage: dict[str, float] = field(default_factory=dict)


def clean_name(name: Any) -> str | None:
    """Return the name of a metric as one short line, or None if nothing is left of it."""
    # A job reports the same few names in a million lines.
    if type(name) is str and len(name) <= NAME_LIMIT:
        return _clean_short_name(name)
    return one_line(name, NAME_LIMIT) or None


@functools.lru_cache(maxsize=4096)
def _clean_short_name(name: str) -> str | None:
    return one_line(name, NAME_LIMIT) or None


def clean_values(raw: Mapping[Any, Any]) -> dict[str, float]:
    """Return the numbers that a notebook reported, by clean name.

    Entries that are no numbers are dropped, and so are entries after the first NAMES_PER_JOB.
    """
    values: dict[str, float] = {}
    for name, value in raw.items():
        label = clean_name(name)
        number = value if type(value) is float else numbers.decode(value)
        if label is not None and number is not None and len(values) < NAMES_PER_JOB:
            values[label] = number
    return values


def clean_usage(raw: Any) -> dict[str, float]:
    """Return the finite entries of a heartbeat that have a name in USAGE."""
    if not isinstance(raw, Mapping):
        return {}
    values = clean_values(raw)
    return {name: values[name] for name in USAGE if math.isfinite(values.get(name, math.nan))}


def clean_step(value: Any) -> int | None:
    """Return a step as a whole number from 0 to 2**53, or None if it is none."""
    number = numbers.decode(value)
    if number is None or not math.isfinite(number) or not 0 <= number <= numbers.LARGEST_INT:
        return None
    return int(number)


@dataclass
class Series:
    """One metric of one job so far, in bounded memory.

    The trail holds every stride-th value that came, rounded, for a sparkline. When it grows past
    TRAIL_LIMIT, every other value is dropped and the stride is doubled.
    """

    n: int = 0  # values that the job reported
    min: float | None = None  # of the finite values
    max: float | None = None  # of the finite values
    last: float = math.nan
    trail: list[float] = field(default_factory=list)
    seen: int = 0  # values that came here; fewer than n where the series came thinned
    stride: int = 1

    def add(self, value: float) -> None:
        """Take the next value of a series that comes whole."""
        self.keep([value])
        self.n += 1
        if math.isfinite(value):
            self.min = value if self.min is None else min(self.min, value)
            self.max = value if self.max is None else max(self.max, value)

    def keep(self, values: Sequence[float]) -> None:
        """Take the next values for `trail` and `last`; the caller sets `n` and the extremes.

        The runner has rounded the values before the last one; the last is exact.
        """
        if not values:
            return
        self.last = values[-1]
        # Value number k of the whole series, from 0, belongs into the trail if the stride divides
        # k. `values` begins with number `seen`, so the first value that belongs into the trail is
        # at the index -seen % stride.
        self.trail += values[-self.seen % self.stride :: self.stride]
        self.seen += len(values)
        if (self.seen - 1) % self.stride == 0:
            # The last value is in the trail: rounded there, exact in `last`.
            self.trail[-1] = numbers.rounded(self.last)
        while len(self.trail) > TRAIL_LIMIT:
            self.trail = self.trail[::2]
            self.stride *= 2

    def reduced(self, reduction: str) -> float | None:
        """Return the one number that `last`, `max` or `min` makes of the series."""
        if reduction == "last":
            return self.last
        return self.max if reduction == "max" else self.min

    def summary(self) -> list[Any]:
        """Return [n, min, max, last] as JSON."""
        ends = [None if value is None else numbers.encode(value) for value in (self.min, self.max)]
        return [self.n, *ends, numbers.encode(self.last)]

    def row(self) -> dict[str, Any]:
        """Return the metric as a face shows it (`wire.Metric`)."""
        count, low, high, last = self.summary()
        trail = [numbers.encode(value) for value in self.shown_trail()]
        return {"last": last, "min": low, "max": high, "n": count, "trail": trail}

    def shown_trail(self) -> list[float]:
        """Return the trail with the last value at its end."""
        last_is_in_it = not self.seen or (self.seen - 1) % self.stride == 0
        if last_is_in_it:
            return list(self.trail)
        return [*self.trail, numbers.rounded(self.last)]


def objective_value(metrics: Mapping[str, Series], objective: Objective | None) -> float | None:
    """Return the number that ranks a variant, or None if it has none (yet)."""
    if objective is None:
        return None
    series = metrics.get(objective.metric)
    if series is None or not series.n:
        return None
    return series.reduced(objective.reduction)


def thinned(values: Iterable[T], limit: int) -> list[T]:
    """Return at most `limit` values at equal distances, with the first and the last."""
    items = list(values)
    if len(items) <= limit:
        return items
    distance = (len(items) - 1) / (limit - 1)
    return [items[round(index * distance)] for index in range(limit)]
