"""The curves of one job, thinned while they are read: what a plot can show of a million readings."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, cast

from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.metrics import NAMES_PER_JOB, USAGE, Reading, thinned
from jupyter_gridgpu.model.wire import Curve, UsageCurves


class Thinning:
    """Keeps every stride-th of the items given to it, never more than twice `points`, and the last one."""

    def __init__(self, points: int) -> None:
        self.points = points
        self.seen = 0
        self._stride = 1
        self._kept: list[Any] = []
        self._last: Any = None

    def add(self, item: Any) -> None:
        if self.seen % self._stride == 0:
            self._kept.append(item)
            if len(self._kept) > 2 * self.points:
                self._kept = self._kept[::2]
                self._stride *= 2
        self.seen += 1
        self._last = item

    def items(self) -> list[Any]:
        """Return at most `points` items, with the first and the last."""
        ends_with_last = not self.seen or (self.seen - 1) % self._stride == 0
        return thinned(self._kept if ends_with_last else [*self._kept, self._last], self.points)


class Curves:
    """All curves of a job, at most NAMES_PER_JOB of them, and what it used."""

    def __init__(self, points: int) -> None:
        self._points = points
        self._curves: dict[str, Thinning] = {}
        self._usage = Thinning(points)

    def take(self, readings: Iterable[Reading]) -> None:
        for reading in readings:
            if reading.usage and math.isfinite(reading.time):
                self._usage.add((reading.time, reading.usage))
            for name, value in reading.values.items():
                curve = self._curve(name)
                if curve is not None:
                    curve.add((curve.seen + 1 if reading.step is None else reading.step, value))

    def _curve(self, name: str) -> Thinning | None:
        if name not in self._curves and len(self._curves) < NAMES_PER_JOB:
            self._curves[name] = Thinning(self._points)
        return self._curves.get(name)

    def curves(self) -> dict[str, Curve]:
        return {name: _curve(thinning.items()) for name, thinning in self._curves.items()}

    def usage(self) -> UsageCurves:
        items = self._usage.items()
        columns = {name: [usage.get(name) for _, usage in items] for name in USAGE}
        return cast(UsageCurves, {"times": [time for time, _ in items], **columns})


def _curve(items: list[Any]) -> Curve:
    return {
        "steps": [step for step, _ in items],
        "values": [numbers.encode(value) for _, value in items],
    }
