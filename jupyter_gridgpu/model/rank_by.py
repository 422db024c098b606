"""Ranking the variants of a scan by another metric afterwards, with no new run (`--by`)."""

from __future__ import annotations

import copy
import re

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.notes import METRICS_NAMED, nearest_name
from jupyter_gridgpu.model.objective import DIRECTIONS, Objective, metric_and_reduction
from jupyter_gridgpu.model.view import ScanView

SHOWN = 80  # characters of a name in a sentence
_WITH_DIRECTION = re.compile(rf"\s*({'|'.join(DIRECTIONS)})\s+(.*)", re.DOTALL)


def ranking_of(view: ScanView, text: str) -> Objective:
    """Return what `NAME`, `max(NAME)`, `maximize NAME` or `minimize max(NAME)` ranks by.

    Without a direction, it is that of the scan's objective with this metric. Raises UsageError if
    there is none, and for a metric that no variant has reported.
    """
    names = {name for variant in view.variants.values() for name in variant.metrics}
    found = _WITH_DIRECTION.fullmatch(text)
    # A metric may have any name, also one that begins with such a word.
    direction, rest = (found[1], found[2]) if found and text not in names else (None, text)
    # For the same reason, `max(a)` may be a name itself.
    parts = (rest.strip(), None) if rest.strip() in names else metric_and_reduction(rest)
    if parts is None:
        raise UsageError(
            f"{_shown(text)!r} is nothing to rank by; write a metric's name, or max(NAME),"
            " min(NAME), last(NAME), after maximize or minimize."
        )
    metric, reduction = parts
    if metric not in names:
        raise UsageError(_unknown(view, metric, names))
    known = {objective.metric: objective for objective in view.scan.objectives}.get(metric)
    if direction is not None:
        return Objective(metric, direction, reduction or "last")
    if known is None:
        raise UsageError(
            f"{_shown(metric)} is no objective of {view.scan.name}: say which values are better,"
            f" 'maximize {_shown(text)}' or 'minimize {_shown(text)}'."
        )
    # The name of an objective alone means this objective, also where it is max(NAME).
    return Objective(metric, known.direction, reduction or known.reduction)


def ranked(view: ScanView, text: str) -> ScanView:
    """Return the same view, ranked by one metric. It takes no more events. Raises UsageError."""
    other = copy.copy(view)
    other.rank(ranking_of(view, text))
    return other


def _unknown(view: ScanView, metric: str, names: set[str]) -> str:
    if not names:
        return f"{view.scan.name} has no metric {_shown(metric)!r}: none has been reported yet."
    listed = ", ".join(_shown(name) for name in sorted(names)[:METRICS_NAMED])
    if len(names) > METRICS_NAMED:
        listed += f" and {len(names) - METRICS_NAMED} more"
    nearest = nearest_name(metric, names)
    hint = "" if nearest is None else f" Is {_shown(nearest)} meant?"
    return f"{view.scan.name} has no metric {_shown(metric)!r}; it has {listed}.{hint}"


def _shown(name: str) -> str:
    return one_line(name, SHOWN) or ""
