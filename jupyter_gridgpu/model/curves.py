"""The curves of one job, thinned while they are read: a plot cannot show a million readings."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, cast

from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.metrics import NAMES_PER_JOB, USAGE, Reading, thinned
from jupyter_gridgpu.model.wire import Curve, UsageCurves


class Thinning:
    """Keeps some of the items given to it, at equal distances, and the last one.

    At first every item is kept. When there are more than twice `points`, every other one is
    dropped, and of the items to come only every second is kept (then every fourth, and so on). So
    the memory is bounded, however many items come.
    """

    def __init__(self, points: int) -> None:
        """Begin without items; `items` will return at most `points`."""
        self.points = points
        self.seen = 0  # items that were given
        self._stride = 1  # every stride-th item is kept
        self._kept: list[Any] = []
        self._last: Any = None

    def add(self, item: Any) -> None:
        """Take the next item."""
        if self.seen % self._stride == 0:
            self._kept.append(item)
            # Up to 2 * points are kept, so that `items` can pick from them at equal distances.
            if len(self._kept) > 2 * self.points:
                self._kept = self._kept[::2]
                self._stride *= 2
        self.seen += 1
        self._last = item

    def copy(self) -> Thinning:
        """Return a thinning of the same items, which goes on alone."""
        made = Thinning(self.points)
        made.seen, made._stride, made._last = self.seen, self._stride, self._last
        made._kept = list(self._kept)
        return made

    def items(self) -> list[Any]:
        """Return at most `points` items, with the first and the last."""
        # A curve has to end where the job is now, so the last item is shown in any case.
        last_is_kept = not self.seen or (self.seen - 1) % self._stride == 0
        if last_is_kept:
            return thinned(self._kept, self.points)
        return thinned([*self._kept, self._last], self.points)


class Curves:
    """The curves of a job's metrics, at most NAMES_PER_JOB of them, and what the job used."""

    def __init__(self, points: int) -> None:
        """Begin without readings; a curve will have at most `points` points."""
        self._points = points
        self._curves: dict[str, Thinning] = {}
        self._usage = Thinning(points)

    def take(self, readings: Iterable[Reading]) -> None:
        """Add readings in the order in which the job made them."""
        for reading in readings:
            if reading.usage and math.isfinite(reading.time):
                self._usage.add((reading.time, reading.usage))
            for name, value in reading.values.items():
                curve = self._curve(name)
                if curve is None:
                    continue
                step = reading.step
                if step is None:
                    # Where the notebook names no epochs, the values are counted.
                    step = curve.seen + 1
                curve.add((step, value))

    def copy(self) -> Curves:
        """Return the same curves, which go on alone."""
        made = Curves(self._points)
        made._curves = {name: curve.copy() for name, curve in self._curves.items()}
        made._usage = self._usage.copy()
        return made

    def _curve(self, name: str) -> Thinning | None:
        """Return the curve of a metric, or None if the job has too many metrics."""
        if name not in self._curves and len(self._curves) < NAMES_PER_JOB:
            self._curves[name] = Thinning(self._points)
        return self._curves.get(name)

    def curves(self) -> dict[str, Curve]:
        """Return the curves by metric."""
        return {name: _to_wire(thinning.items()) for name, thinning in self._curves.items()}

    def usage(self) -> UsageCurves:
        """Return what the job used over time; None stands where a heartbeat has no value."""
        items = self._usage.items()
        columns: dict[str, Any] = {"times": [time for time, _ in items]}
        for name in USAGE:
            columns[name] = [usage.get(name) for _, usage in items]
        return cast(UsageCurves, columns)


def _to_wire(items: list[Any]) -> Curve:
    """Return pairs of step and value as a message has them."""
    return {
        "steps": [step for step, _ in items],
        "values": [numbers.encode(value) for _, value in items],
    }
