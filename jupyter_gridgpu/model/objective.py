"""Objectives: the metrics that rank variants."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from jupyter_gridgpu.errors import UsageError

DIRECTIONS = ("maximize", "minimize")
REDUCTIONS = ("last", "max", "min")
OBJECTIVES_LIMIT = 8  # objectives of one scan; with more, nearly no point dominates another


@dataclass(frozen=True)
class Objective:
    """The metric that ranks variants, and how its series becomes one number."""

    metric: str
    direction: str  # one of DIRECTIONS
    reduction: str = "last"  # one of REDUCTIONS

    @property
    def sign(self) -> int:
        """1 where larger values are better, else -1."""
        return 1 if self.direction == "maximize" else -1

    @property
    def label(self) -> str:
        """The objective as a user writes it, like `max(acc)`; the usual `last` is left out."""
        return self.metric if self.reduction == "last" else f"{self.reduction}({self.metric})"

    @property
    def text(self) -> str:
        """The objective as `--by` has it, like `maximize max(acc)`."""
        return f"{self.direction} {self.label}"

    def better(self, a: float | None, b: float | None) -> bool:
        """Return whether value `a` beats `b`; NaN and None never do, and are beaten by numbers."""
        if a is None or math.isnan(a):
            return False
        return b is None or math.isnan(b) or self.sign * a > self.sign * b


def parse_objective(text: str, direction: str) -> Objective:
    """Return the objective of `NAME`, `last(NAME)`, `max(NAME)` or `min(NAME)`.

    Raises UsageError for any other text.
    """
    parts = metric_and_reduction(text)
    if parts is None:
        raise UsageError(
            f"--{direction} {text!r} is no objective;"
            " write a metric's name, or max(NAME), min(NAME), last(NAME)."
        )
    metric, reduction = parts
    return Objective(metric, direction, reduction or "last")


def metric_and_reduction(text: str) -> tuple[str, str | None] | None:
    """Return the two parts of `max(NAME)`; the reduction of `NAME` alone is None.

    Returns None for a text that is neither.
    """
    metric, reduction = text.strip(), None
    found = re.fullmatch(r"(last|max|min)\s*\((.*)\)", metric)
    if found:
        reduction, metric = found[1], found[2].strip()
    if not metric or "(" in metric or ")" in metric:
        return None
    return metric, reduction
