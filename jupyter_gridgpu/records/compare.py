"""Compares two scans variant by variant, to see whether the second reproduces the first.

For each metric of a variant, the last value is compared. An objective is reduced before, as the
first scan asks for it (max, min or last).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.job import END_STATES
from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.records.input_differences import Difference, differences
from jupyter_gridgpu.records.pairing import pair_variants
from jupyter_gridgpu.records.record import Record
from jupyter_gridgpu.records.repeat_spread import RepeatSpread, metric_value

REPRODUCED, WITHIN, DIFFERS, INCOMPLETE = "reproduced", "within tolerance", "differs", "incomplete"
EXIT_CODES = {REPRODUCED: 0, WITHIN: 0, DIFFERS: 1, INCOMPLETE: 3}
# From the best to the worst: a difference that was found is worse than values that are missing.
_VERDICTS = (REPRODUCED, WITHIN, INCOMPLETE, DIFFERS)
_IN_CELL = re.compile(r" in cell \d+\.?$")
NAMES_SHOWN = 8  # the most metrics in an error text


@dataclass(frozen=True)
class Tolerance:
    """How far the second value may be from the first one.

    With the values x1 and x2 and d = |x2 - x1|, x2 is within the tolerance if any of these holds:

        d <= absolute                 in the metric's own unit
        d <= relative * |x1|          a fraction of the first value
        d <= sigmas * s               s: standard deviation over the repeats of the point

    s is described at `RepeatSpread`. The first two are the terms of `numpy.isclose`, which adds
    them; here one of them must be enough. The third is left out where the point was not repeated.

    s is the spread of a single training. If both trainings scatter independently, the standard
    deviation of x2 - x1 is sqrt(2) * s, so that for a normal distribution and a well known s about
    84 % of reproductions lie within the default of 2 (not 95 %). Raises UsageError for a number
    that is negative or not finite.
    """

    relative: float = 0.01
    absolute: float = 0.0
    sigmas: float = 2.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
                raise UsageError(f"The {name} tolerance is {value!r}; give a number from 0 up.")

    def allows(self, difference: float, relative: float, spread: float | None) -> bool:
        """Return whether a difference, with its ratio to the first value, is small enough."""
        if abs(difference) <= self.absolute or relative <= self.relative:
            return True
        return spread is not None and abs(difference) <= self.sigmas * spread


@dataclass(frozen=True)
class ComparedMetric:
    """One metric of one pair of variants. The field names are keys of the printed JSON."""

    metric: str
    a: float | None  # the value in the first scan; None if the variant has none
    b: float | None  # the value in the second scan
    difference: float | None  # b - a
    relative: float | None  # |b - a| / |a|; infinite if a is 0
    spread: float | None  # standard deviation over the repeats of the first scan's point
    verdict: str


@dataclass(frozen=True)
class ComparedVariants:
    """A variant of the first scan, and the variant of the second scan that corresponds to it.

    One of the two may be missing. The field names are keys of the printed JSON.
    """

    a: str | None  # the id of the variant in the first scan
    b: str | None
    params: dict[str, Any]  # the parameters that vary in the first scan
    states: tuple[str | None, str | None]
    cells: list[ComparedMetric]
    verdict: str


@dataclass
class Comparison:
    """The result of a comparison. The field names are keys of the printed JSON."""

    a: str  # the name of the first scan
    b: str
    kind: str  # how one scan comes from the other: replay, variation, or empty
    pairs: list[ComparedVariants]
    inputs: list[Difference]
    tolerance: Tolerance
    notes: list[str] = field(default_factory=list)
    verdict: str = INCOMPLETE  # the worst of all pairs
    objective: str | None = None  # the metric of the first scan's only objective
    objectives: list[str] = field(default_factory=list)  # the metrics of all its objectives

    @property
    def exit_code(self) -> int:
        """0: reproduced or within tolerance; 1: differs; 3: incomplete."""
        return EXIT_CODES[self.verdict]

    def counts(self) -> dict[str, int]:
        """Return how many pairs have each verdict, from the best to the worst."""
        found = Counter(pair.verdict for pair in self.pairs)
        return {verdict: found[verdict] for verdict in _VERDICTS if verdict in found}

    def metrics(self) -> list[str]:
        """Return the metrics that were compared, the objectives first."""
        names = dict.fromkeys(self.objectives)
        for pair in self.pairs:
            names.update(dict.fromkeys(cell.metric for cell in pair.cells))
        return list(names)

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as an object of strict JSON. NaN and infinities become words."""
        body = {"verdict": self.verdict, "counts": self.counts(), **asdict(self)}
        strict: dict[str, Any] = numbers.encode_all(body, mark="")
        return strict


def compare(
    first: Record,
    second: Record,
    tolerance: Tolerance = Tolerance(),
    metrics: Sequence[str] = (),
) -> Comparison:
    """Compare the second scan with the first one, in `metrics` or, without any, in all metrics.

    Raises UsageError for a metric that neither scan has.
    """
    _check_metrics(first, second, metrics)
    comparer = _PairComparer(first, tolerance, metrics)
    pairs = [comparer.compare(*pair) for pair in pair_variants(first, second)]
    comparison = Comparison(
        a=first.name,
        b=second.name,
        kind=_relation(first, second),
        pairs=pairs,
        inputs=differences(first, second),
        tolerance=tolerance,
        notes=_notes(first, second),
        verdict=_overall_verdict(first, second, pairs),
    )
    comparison.objectives = [objective.metric for objective in first.scan.objectives]
    if first.scan.objective:
        comparison.objective = first.scan.objective.metric
    return comparison


def _check_metrics(first: Record, second: Record, metrics: Sequence[str]) -> None:
    known: set[str] = set()
    for variant in (*first.variants, *second.variants):
        known.update(variant.metrics)
    for name in metrics:
        if name not in known:
            listed = ", ".join(sorted(known)[:NAMES_SHOWN]) or "none"
            raise UsageError(f"--metric {name}: neither scan has it; there is {listed}.")


def _worst(verdicts: Iterable[str]) -> str:
    """Return the worst of some verdicts, or `reproduced` if there are none."""
    return max(verdicts, key=_VERDICTS.index, default=REPRODUCED)


def _overall_verdict(first: Record, second: Record, pairs: list[ComparedVariants]) -> str:
    verdicts = [pair.verdict for pair in pairs]
    # If there is no pair, nothing was compared, and so nothing was reproduced.
    if not pairs or not _is_complete(first) or not _is_complete(second):
        verdicts.append(INCOMPLETE)
    return _worst(verdicts)


def _is_complete(record: Record) -> bool:
    """Return whether a scan has ended with all the variants that were given to it."""
    return record.finished and len(record.view.variants) >= record.scan.recorded


def _relation(first: Record, second: Record) -> str:
    """Return `replay` or `variation` if one scan comes from the other, else an empty text."""
    for scan, other in ((second.scan, first.scan), (first.scan, second.scan)):
        if scan.origin and scan.origin.id == other.id:
            return scan.origin.kind
    return ""


def _notes(first: Record, second: Record) -> list[str]:
    """Return sentences that a reader of the comparison should know."""
    records = (first, second)
    notes = [f"{record.name} has not ended yet." for record in records if not _is_complete(record)]
    for record in records:
        origin = record.scan.origin
        if origin and origin.changes:
            changes = "; ".join(origin.changes)
            notes.append(f"{record.name} is a variation of {origin.name}: {changes}.")
    if len(first.scan.objectives) > 1 and second.scan.objectives == first.scan.objectives:
        fronts = [f"{_front_text(record)} in {record.name}" for record in records]
        notes.append(f"Pareto front: {'; '.join(fronts)}.")
    return notes


def _front_text(record: Record) -> str:
    """Return the variants of a Pareto front, or the first of them and how many more there are."""
    ids = [variant.id for variant in record.view.pareto()]
    more = f" and {len(ids) - NAMES_SHOWN:,} more" if len(ids) > NAMES_SHOWN else ""
    return (", ".join(ids[:NAMES_SHOWN]) or "none") + more


# one pair of variants -----------------------------------------------------------------------


class _PairComparer:
    """Compares the variants of a second scan with those of the first one."""

    def __init__(self, first: Record, tolerance: Tolerance, metrics: Sequence[str]) -> None:
        self._first = first
        self._tolerance = tolerance
        self._metrics = metrics  # empty: all
        self._spread = RepeatSpread(first)

    def compare(self, first: VariantView | None, second: VariantView | None) -> ComparedVariants:
        """Compare two variants, of which one may be missing."""
        cells = []
        # If one of the two is missing, the pair has no metrics and is incomplete.
        if first is not None and second is not None:
            names = self._metrics or {**first.metrics, **second.metrics}
            cells = [self._compare_metric(first, second, name) for name in names]
        params = {}
        present = first or second
        if present is not None:
            # A parameter that is not active at this point has no value.
            varied = self._first.scan.space.varied
            params = {name: present.params[name] for name in varied if name in present.params}
        first_id, first_state = _id_and_state(first)
        second_id, second_state = _id_and_state(second)
        return ComparedVariants(
            a=first_id,
            b=second_id,
            params=params,
            states=(first_state, second_state),
            cells=cells,
            verdict=_pair_verdict(first, second, cells),
        )

    def _compare_metric(
        self, first: VariantView, second: VariantView, metric: str
    ) -> ComparedMetric:
        first_value = metric_value(self._first, first, metric)
        second_value = metric_value(self._first, second, metric)
        spread = self._spread.of(first, metric)
        if first_value is None or second_value is None:
            return ComparedMetric(metric, first_value, second_value, None, None, spread, INCOMPLETE)
        both_nan = math.isnan(first_value) and math.isnan(second_value)
        if first_value == second_value or both_nan:
            return ComparedMetric(metric, first_value, second_value, 0.0, 0.0, spread, REPRODUCED)
        difference = second_value - first_value
        # Relative to 0, any difference is infinite.
        relative = math.inf
        if first_value:
            relative = abs(difference / first_value)
        # No tolerance makes NaN or an infinity close to a number.
        both_finite = math.isfinite(first_value) and math.isfinite(second_value)
        verdict = DIFFERS
        if both_finite and self._tolerance.allows(difference, relative, spread):
            verdict = WITHIN
        return ComparedMetric(
            metric, first_value, second_value, difference, relative, spread, verdict
        )


def _id_and_state(variant: VariantView | None) -> tuple[str | None, str | None]:
    if variant is None:
        return None, None
    return variant.id, variant.state


def _pair_verdict(
    first: VariantView | None, second: VariantView | None, cells: list[ComparedMetric]
) -> str:
    if first is None or second is None:
        return INCOMPLETE
    if first.state not in END_STATES or second.state not in END_STATES:
        return INCOMPLETE
    if first.state == second.state == "done":
        return _worst(cell.verdict for cell in cells)
    # An error of the notebook itself is a result, too. A walltime or a broken node is none.
    if _notebook_failed(first) and _notebook_failed(second) and _error(first) == _error(second):
        return REPRODUCED
    return INCOMPLETE


def _notebook_failed(variant: VariantView) -> bool:
    return variant.state == "failed" and variant.reason == "notebook"


def _error(variant: VariantView) -> str:
    """Return the error of a variant without its cell, which earlier versions counted otherwise."""
    return _IN_CELL.sub("", variant.message or "")
