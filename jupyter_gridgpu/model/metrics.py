"""Metrics as a job reports them: untrusted names and values made bounded, and series made short."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.job import bounded
from jupyter_gridgpu.model.scan import Objective

T = TypeVar("T")
NAME_LIMIT = 80
NAMES_PER_JOB = 64
TRAIL_LIMIT = 48
USAGE = ("cpu", "memory_mb", "gpu", "gpu_memory_mb")


@dataclass(frozen=True)
class Reading:
    """One moment of a job: values of some metrics at a step (an epoch)."""

    time: float
    step: int | None
    steps: int | None  # of how many, if the notebook said so
    values: dict[str, float]
    usage: dict[str, float] = field(
        default_factory=dict
    )  # of a heartbeat: cpu (cores), memory_mb, gpu (%), gpu_memory_mb


def clean_name(name: Any) -> str | None:
    """Return a metric name fit to show, or None if nothing is left of it."""
    return bounded(name, NAME_LIMIT) or None


def clean_values(raw: Mapping[Any, Any]) -> dict[str, float]:
    """Return the numeric entries of what a notebook reported, with clean names, at most NAMES_PER_JOB of them."""
    values: dict[str, float] = {}
    for name, value in raw.items():
        label, number = clean_name(name), numbers.decode(value)
        if label is not None and number is not None and len(values) < NAMES_PER_JOB:
            values[label] = number
    return values


def clean_usage(raw: Any) -> dict[str, float]:
    """Return the finite entries of a heartbeat that are known by name."""
    values = clean_values(raw) if isinstance(raw, Mapping) else {}
    return {name: values[name] for name in USAGE if math.isfinite(values.get(name, math.nan))}


def clean_step(value: Any) -> int | None:
    """Return an epoch number: whole, not negative, at most 2**53; else None."""
    number = numbers.decode(value)
    if number is None or not math.isfinite(number) or not 0 <= number <= numbers.LARGEST_INT:
        return None
    return int(number)


@dataclass
class Series:
    """A metric of one job so far: how often, extremes of its finite values, last value, and a short trail of it."""

    n: int = 0
    min: float | None = None
    max: float | None = None
    last: float = math.nan
    trail: list[float] = field(default_factory=list)
    seen: int = 0  # values given to add(); fewer than n where a series came thinned
    stride: int = 1  # every stride-th of them is in the trail

    def add(self, value: float) -> None:
        """Take a value of a series that comes whole."""
        self.keep([value])
        self.n += 1
        if math.isfinite(value):
            self.min = value if self.min is None else min(self.min, value)
            self.max = value if self.max is None else max(self.max, value)

    def keep(self, values: Sequence[float]) -> None:
        """Take the next values for trail and last; number and extremes are counted elsewhere.

        Those before the last have been made short by the runner, for the journal.
        """
        if not values:
            return
        self.last = values[-1]
        self.trail += values[-self.seen % self.stride :: self.stride]
        self.seen += len(values)
        if (self.seen - 1) % self.stride == 0:
            self.trail[-1] = numbers.shown(self.last)
        while len(self.trail) > TRAIL_LIMIT:
            self.trail = self.trail[::2]
            self.stride *= 2

    def reduced(self, reduction: str) -> float | None:
        """Return the one number that `last`, `max` or `min` makes of the series."""
        return self.last if reduction == "last" else self.max if reduction == "max" else self.min

    def summary(self) -> list[Any]:
        """[n, min, max, last] as the journal and result.json carry it."""
        ends = [None if value is None else numbers.encode(value) for value in (self.min, self.max)]
        return [self.n, *ends, numbers.encode(self.last)]

    def row(self) -> dict[str, Any]:
        """The metric as a face shows it."""
        n, low, high, last = self.summary()
        return {
            "last": last,
            "min": low,
            "max": high,
            "n": n,
            "trail": [numbers.encode(v) for v in self.shown_trail()],
        }

    def shown_trail(self) -> list[float]:
        """The trail with the last value at its end."""
        exact = not self.seen or (self.seen - 1) % self.stride == 0
        return list(self.trail) if exact else [*self.trail, numbers.shown(self.last)]


def objective_value(metrics: Mapping[str, Series], objective: Objective | None) -> float | None:
    """Return the number that ranks a variant, or None if it has none (yet)."""
    series = metrics.get(objective.metric) if objective else None
    return series.reduced(objective.reduction) if series and objective and series.n else None


def thinned(values: Iterable[T], limit: int) -> list[T]:
    """Return at most `limit` values, evenly picked, with the first and the last."""
    items = list(values)
    if len(items) <= limit:
        return items
    step = (len(items) - 1) / (limit - 1)
    return [items[round(i * step)] for i in range(limit)]
