"""Two scans side by side, variant by variant: does the second still say what the first one said?"""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.job import END_STATES
from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.records.inputs import Difference, differences
from jupyter_gridgpu.records.record import Record

REPRODUCED, WITHIN, DIFFERS, INCOMPLETE = "reproduced", "within tolerance", "differs", "incomplete"
EXIT_CODES = {REPRODUCED: 0, WITHIN: 0, DIFFERS: 1, INCOMPLETE: 3}
_WORST = (REPRODUCED, WITHIN, INCOMPLETE, DIFFERS)


@dataclass(frozen=True)
class Tolerance:
    """A value is within it if any of the three says so."""

    relative: float = 0.01
    absolute: float = 0.0
    sigmas: float = 2.0  # of the spread over the repeats of the point, where there are repeats

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (isinstance(value, (int, float)) and math.isfinite(value) and value >= 0):
                raise UsageError(f"The {name} tolerance is {value!r}; give a number from 0 up.")


@dataclass(frozen=True)
class Cell:
    """One metric of one pair. `spread` is sigma over the repeats of the first scan's point."""

    metric: str
    a: float | None
    b: float | None
    difference: float | None
    relative: float | None
    spread: float | None
    verdict: str


@dataclass(frozen=True)
class Pair:
    """A variant of the first scan and the one of the second that had the same to do; one of them may be missing."""

    a: str | None
    b: str | None
    params: dict[str, Any]
    states: tuple[str | None, str | None]
    cells: list[Cell]
    verdict: str


@dataclass
class Comparison:
    """What came of it."""

    a: str
    b: str
    kind: str  # how the second comes from the first: replay, variation, or empty
    pairs: list[Pair]
    inputs: list[Difference]
    tolerance: Tolerance
    notes: list[str] = field(default_factory=list)
    verdict: str = INCOMPLETE
    objective: str | None = None

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.verdict]

    def counts(self) -> dict[str, int]:
        found = Counter(pair.verdict for pair in self.pairs)
        return {verdict: found[verdict] for verdict in _WORST if found[verdict]}

    def metrics(self) -> list[str]:
        """The metrics that were compared, the objective first."""
        names = dict.fromkeys([self.objective] if self.objective else [])
        names.update(dict.fromkeys(cell.metric for pair in self.pairs for cell in pair.cells))
        return list(names)

    def to_json(self) -> dict[str, Any]:
        """One object of strict JSON; what is not finite is a word."""
        body = {"verdict": self.verdict, "counts": self.counts(), **asdict(self)}
        made: dict[str, Any] = numbers.strict(body, mark="")
        return made


def compare(
    a: Record, b: Record, tolerance: Tolerance = Tolerance(), metrics: Sequence[str] = ()
) -> Comparison:
    """Compare scan `b` with scan `a`, in all metrics or in those named. Raises UsageError for a metric that neither has."""
    _check_metrics(a, b, metrics)
    spreads = _Spreads(a)
    pairs = [_pair(a, spreads, one, other, tolerance, metrics) for one, other in matched(a, b)]
    made = Comparison(a.name, b.name, _relation(a, b), pairs, differences(a, b), tolerance)
    made.objective = a.scan.objective.metric if a.scan.objective else None
    made.notes = _notes(a, b)
    made.verdict = _verdict(a, b, pairs)
    return made


def _check_metrics(a: Record, b: Record, metrics: Sequence[str]) -> None:
    known = {name for record in (a, b) for variant in record.variants for name in variant.metrics}
    for name in metrics:
        if name not in known:
            raise UsageError(
                f"--metric {name}: neither scan has it; there is {', '.join(sorted(known)[:8]) or 'none'}."
            )


def _verdict(a: Record, b: Record, pairs: Iterable[Pair]) -> str:
    found = [pair.verdict for pair in pairs]
    if not found or not all(_complete(record) for record in (a, b)):
        found.append(INCOMPLETE)
    return max(found, key=_WORST.index)


def _complete(record: Record) -> bool:
    return record.finished and len(record.view.variants) >= record.scan.recorded


def _relation(a: Record, b: Record) -> str:
    for one, other in ((a, b), (b, a)):
        if other.scan.origin and other.scan.origin.id == one.scan.id:
            return other.scan.origin.kind
    return ""


def _notes(a: Record, b: Record) -> list[str]:
    notes = [f"{record.name} has not ended yet." for record in (a, b) if not _complete(record)]
    for record in (a, b):
        origin = record.scan.origin
        if origin and origin.changes:
            notes.append(
                f"{record.name} is a variation of {origin.name}: {'; '.join(origin.changes)}."
            )
    return notes


# which variants belong together -----------------------------------------------------------


def matched(a: Record, b: Record) -> list[tuple[VariantView | None, VariantView | None]]:
    """Pair the variants: by id where one scan replays the other, or both the same one; else by their parameters."""
    ones, others = a.view.variants, b.view.variants
    origins = [record.scan.origin.id if record.scan.origin else None for record in (a, b)]
    if origins[1] == a.scan.id:  # what of the origin was not asked for is not missed
        return [(ones.get(ident), other) for ident, other in others.items()]
    if origins[0] == b.scan.id:
        return [(one, others.get(ident)) for ident, one in ones.items()]
    if origins[0] is not None and origins[0] == origins[1] != "":
        return [(ones.get(ident), others.get(ident)) for ident in {**ones, **others}]
    return _by_params(a, b)


def _by_params(a: Record, b: Record) -> list[tuple[VariantView | None, VariantView | None]]:
    shared = [name for name in a.scan.space if name in b.scan.space.axes]
    waiting: dict[str, list[VariantView]] = {}
    for other in b.variants:
        waiting.setdefault(_key(other, shared), []).append(other)
    pairs: list[tuple[VariantView | None, VariantView | None]] = []
    for one in a.variants:
        found = waiting.get(_key(one, shared))
        pairs.append((one, found.pop(0) if found else None))
    return [*pairs, *((None, other) for left in waiting.values() for other in left)]


def _key(variant: VariantView, names: list[str]) -> str:
    return json.dumps([numbers.strict(variant.params.get(name)) for name in names], sort_keys=True)


# how they differ ----------------------------------------------------------------------------


class _Spreads:
    """Sigma of a metric over the repeats of a point; worked out once a point."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._points: dict[int, list[VariantView]] = {}
        self._known: dict[tuple[int, str], float | None] = {}
        for variant in record.variants if record.scan.space.repeats else ():
            if variant.state == "done":
                self._points.setdefault(variant.point, []).append(variant)

    def of(self, variant: VariantView, metric: str) -> float | None:
        key = (variant.point, metric)
        if key not in self._known:
            found = [
                _value(self._record, one, metric) for one in self._points.get(variant.point, ())
            ]
            finite = [value for value in found if value is not None and math.isfinite(value)]
            self._known[key] = statistics.stdev(finite) if len(finite) > 1 else None
        return self._known[key]


def _pair(
    a: Record,
    spreads: _Spreads,
    one: VariantView | None,
    other: VariantView | None,
    tolerance: Tolerance,
    metrics: Sequence[str],
) -> Pair:
    known = one or other
    params = {name: known.params.get(name) for name in a.scan.space.varied} if known else {}
    states = (one.state if one else None, other.state if other else None)
    cells: list[Cell] = []
    if one and other:
        names = metrics or list(dict.fromkeys([*one.metrics, *other.metrics]))
        cells = [_cell(a, spreads, one, other, name, tolerance) for name in names]
    return Pair(
        one.id if one else None,
        other.id if other else None,
        params,
        states,
        cells,
        _of_pair(one, other, cells),
    )


def _of_pair(one: VariantView | None, other: VariantView | None, cells: list[Cell]) -> str:
    if one is None or other is None or not {one.state, other.state} <= END_STATES:
        return INCOMPLETE
    if one.state == other.state == "done":
        return max((cell.verdict for cell in cells), key=_WORST.index, default=REPRODUCED)
    same = one.state == other.state == "failed" and one.reason == other.reason == "notebook"
    return REPRODUCED if same and one.message == other.message else INCOMPLETE


def _value(reference: Record, variant: VariantView, metric: str) -> float | None:
    """The objective as the first scan reduces it, the last value of any other metric."""
    series, objective = variant.metrics.get(metric), reference.scan.objective
    if series is None or not series.n:
        return None
    return (
        series.reduced(objective.reduction)
        if objective and objective.metric == metric
        else series.last
    )


def _cell(
    a: Record,
    spreads: _Spreads,
    one: VariantView,
    other: VariantView,
    metric: str,
    tolerance: Tolerance,
) -> Cell:
    first, second, spread = (
        _value(a, one, metric),
        _value(a, other, metric),
        spreads.of(one, metric),
    )
    if first is None or second is None:
        return Cell(metric, first, second, None, None, spread, INCOMPLETE)
    if first == second or (math.isnan(first) and math.isnan(second)):
        return Cell(metric, first, second, 0.0, 0.0, spread, REPRODUCED)
    difference = second - first
    relative = abs(difference / first) if first else math.inf
    finite = math.isfinite(first) and math.isfinite(second)
    close = (
        abs(difference) <= tolerance.absolute
        or relative <= tolerance.relative
        or (spread is not None and abs(difference) <= tolerance.sigmas * spread)
    )
    return Cell(
        metric, first, second, difference, relative, spread, WITHIN if finite and close else DIFFERS
    )
