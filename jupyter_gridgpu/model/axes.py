"""The axes of a space: which values one parameter may take."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Union

GRID_LIMIT = 100_000  # points of a grid, and values of one axis
# How far beside a step a number may lie, in steps: 0.1 + 0.2 is not the float that 0.3 is.
STEP_PART = 1e-6


@dataclass(frozen=True)
class Fixed:
    """One value of any JSON kind, the same in every variant."""

    value: Any


@dataclass(frozen=True)
class Choice:
    """A few values, in the order in which they were written."""

    values: tuple[Any, ...]
    # Whether the order means something, as in sizes: a sampler may then expect that neighbours are
    # alike.
    ordered: bool = False


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`, both ends included."""

    low: float
    high: float
    log: bool = False  # spread evenly in the logarithm
    whole: bool = False  # integers only
    step: float | None = None  # only `low`, `low + step` and so on; never with `log`


@dataclass(frozen=True)
class Repeats:
    """Every point `count` times; the parameter is 0, 1, ..., count - 1, usually a seed."""

    count: int


Axis = Union[Fixed, Choice, Range, Repeats]
Searched = Union[Choice, Range]  # an axis on which a sampler chooses values


def axis_size(axis: Searched) -> int | None:
    """Return how many values an axis has, or None where it is continuous."""
    if isinstance(axis, Choice):
        return len(axis.values)
    if axis.step is not None:
        return int((exact(axis.high) - exact(axis.low)) / exact(axis.step)) + 1
    if not axis.whole:
        return None
    return int(axis.high) - int(axis.low) + 1


def axis_value(axis: Searched, index: int) -> Any:
    """Return value number `index` (from 0) of an axis that is not continuous."""
    if isinstance(axis, Choice):
        return axis.values[index]
    if axis.step is None:
        return int(axis.low) + index
    value = exact(axis.low) + index * exact(axis.step)
    return int(value) if axis.whole else float(value)


def axis_values(axis: Searched) -> Iterator[Any]:
    """Return the values of an axis one after another. Raises ValueError if it is continuous."""
    if isinstance(axis, Choice):
        return iter(axis.values)
    size = axis_size(axis)
    if size is None:
        raise ValueError("a continuous range has no end of values")
    return (axis_value(axis, index) for index in range(size))


def axis_index(axis: Searched, value: Any) -> int:
    """Return which value of an axis that is not continuous is this one, or nearest to it.

    Raises ValueError if a choice has no such value.
    """
    if isinstance(axis, Choice):
        # Values are compared by their text, since NaN does not equal itself and True equals 1.
        return [repr(item) for item in axis.values].index(repr(value))
    step = 1 if axis.step is None else axis.step
    index = round((float(value) - axis.low) / step)
    return min(max(index, 0), (axis_size(axis) or 1) - 1)


def value_in(axis: Searched, value: Any) -> Any:
    """Return the value of an axis that somebody means by `value`, as a sampler would give it.

    So 3.0 is 3 where the axis has whole numbers. Raises ValueError if the axis has no such value.
    """
    if isinstance(axis, Choice):
        # The same text comes first: a choice may have 1 and 1.0.
        ranked = sorted(axis.values, key=lambda item: repr(item) != repr(value))
        for item in ranked:
            if alike(item, value):
                return item
    elif _is_number(value) and axis.low <= value <= axis.high:
        size = axis_size(axis)
        if size is None:
            return float(value)
        found = int(value) if axis.step is None else axis_value(axis, axis_index(axis, value))
        if abs(found - value) <= (axis.step or 0) * STEP_PART:
            return found
    raise ValueError("the axis has no such value")


def alike(one: Any, other: Any) -> bool:
    """Return whether two values are the same: 3 and 3.0, NaN and NaN are, True and 1 are not."""
    if _is_number(one) and _is_number(other):
        return bool(one == other or (one != one and other != other))
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    return bool(one == other)


def _is_number(value: Any) -> bool:
    # True is a number for isinstance.
    return type(value) in (int, float)


def exact(value: float) -> Fraction:
    """Return the number that was written: 0.05 is a twentieth here, which no float is."""
    return Fraction(repr(value))


def value_at(axis: Searched, fraction: float) -> Any:
    """Return the value at `fraction` (0 <= fraction < 1) of an axis.

    Fractions that are spread evenly give values that are spread evenly over the axis:

        value_at(Choice(("a", "b")), 0.7)           "b"
        value_at(Range(0, 10), 0.7)                 7.0
        value_at(Range(1, 100, log=True), 0.5)      about 10
        value_at(Range(1, 3, whole=True), 0.5)      2
    """
    size = axis_size(axis)
    # Rounding may carry a fraction just below 1 to the end: it must not reach beyond it.
    if size is not None and not (isinstance(axis, Range) and axis.log):
        return axis_value(axis, min(int(fraction * size), size - 1))
    assert isinstance(axis, Range)
    low, high = float(axis.low), float(axis.high)
    if size is not None:
        # Every integer stands for all numbers that are rounded to it. So the range reaches half a
        # unit beyond both ends; else the first and the last integer would come half as often.
        value = _at_log(low - 0.5, high + 0.5, fraction)
        return min(max(round(value), int(axis.low)), int(axis.high))
    # exp and log, and the sum of two parts, may miss an end by a rounding.
    if axis.log:
        return min(max(_at_log(low, high, fraction), low), high)
    return min(max(low * (1 - fraction) + high * fraction, low), high)


def _at_log(low: float, high: float, fraction: float) -> float:
    """Return the number at `fraction` between two ends, even in the logarithm."""
    return math.exp(math.log(low) + fraction * (math.log(high) - math.log(low)))
