"""The value of a metric that `compare` uses, and how much it scatters over repeats."""

from __future__ import annotations

import math
import statistics

from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.records.record import Record


def metric_value(first: Record, variant: VariantView, metric: str) -> float | None:
    """Return the value of a metric that is compared, or None if the variant has none.

    For an objective of the `first` scan, that is the value reduced as this scan asks for it, also
    if the variant is one of the second scan. For other metrics, that is the last value.
    """
    series = variant.metrics.get(metric)
    if series is None or not series.n:
        return None
    for objective in first.scan.objectives:
        if objective.metric == metric:
            return series.reduced(objective.reduction)
    return series.last


class RepeatSpread:
    """How much a metric scatters over the repeats of a point, which differ in their seeds.

    The spread is the sample standard deviation with Bessel's correction (`statistics.stdev`),

        s = sqrt( sum_i (x_i - mean)^2 / (n - 1) ),

    in the unit of the metric. The x_i are the finite values of the metric in those variants of the
    point that are done, and n is how many they are. For n < 2 there is no spread.
    """

    def __init__(self, record: Record) -> None:
        """Take the repeats of one scan; a scan without repeats has no spread."""
        self._record = record
        self._repeats: dict[int, list[VariantView]] = {}  # by the number of the point
        # All repeats of a point have the same spread. It is computed once.
        self._known: dict[tuple[int, str], float | None] = {}
        if record.scan.space.repeats:
            for variant in record.variants:
                if variant.state == "done":
                    self._repeats.setdefault(variant.point, []).append(variant)

    def of(self, variant: VariantView, metric: str) -> float | None:
        """Return the spread of a metric over the repeats of the variant's point."""
        key = (variant.point, metric)
        if key not in self._known:
            self._known[key] = self._computed(*key)
        return self._known[key]

    def _computed(self, point: int, metric: str) -> float | None:
        values = []
        for variant in self._repeats.get(point, ()):
            value = metric_value(self._record, variant, metric)
            # One training that diverged must not make every difference tolerable.
            if value is not None and math.isfinite(value):
                values.append(value)
        if len(values) < 2:
            return None
        return statistics.stdev(values)
