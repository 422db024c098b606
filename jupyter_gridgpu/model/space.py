"""The hyper-parameter space: which values each parameter of the notebook may take."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Union

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.fields import Fields, is_bounded, shown

GRID_LIMIT = 100_000  # points of a grid, and values of one axis
SIZE_LIMIT = 10**15  # a grid with more points counts as one with so many
PARAMETER_NAME_LIMIT = 200  # characters


@dataclass(frozen=True)
class Fixed:
    """One value of any JSON kind, the same in every variant."""

    value: Any


@dataclass(frozen=True)
class Choice:
    """A few values, in the order in which they were written."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`, both ends included."""

    low: float
    high: float
    log: bool = False  # spread evenly in the logarithm
    whole: bool = False  # integers only


@dataclass(frozen=True)
class Repeats:
    """Every point `count` times; the parameter is 0, 1, ..., count - 1, usually a seed."""

    count: int


Axis = Union[Fixed, Choice, Range, Repeats]


@dataclass(frozen=True)
class Space:
    """An axis for each parameter, in the order of the cell."""

    axes: dict[str, Axis]  # by name of the parameter

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the parameters."""
        return iter(self.axes)

    @property
    def fixed(self) -> dict[str, Any]:
        """The parameters with one value, and that value."""
        return {name: axis.value for name, axis in self.axes.items() if isinstance(axis, Fixed)}

    @property
    def searched(self) -> dict[str, Choice | Range]:
        """The axes on which a sampler chooses values."""
        return {name: axis for name, axis in self.axes.items() if isinstance(axis, (Choice, Range))}

    @property
    def repeats(self) -> tuple[str, int] | None:
        """The parameter that repeats every point and how often it does so, or None."""
        for name, axis in self.axes.items():
            if isinstance(axis, Repeats):
                return name, axis.count
        return None

    @property
    def repeat_count(self) -> int:
        """How many variants every point makes: 1 where nothing is repeated."""
        repeats = self.repeats
        if repeats is None:
            return 1
        return repeats[1]

    @property
    def varied(self) -> list[str]:
        """The parameters that have more than one value."""
        return [name for name, axis in self.axes.items() if not isinstance(axis, Fixed)]

    def grid_size(self) -> int | None:
        """Return how many points a full grid has, or None where an axis is continuous.

        The number is SIZE_LIMIT at most, since Python does not print numbers of any length. Repeats
        do not count: they make variants of a point, not points.
        """
        # One continuous axis is enough: there is no end of its values.
        size = 1
        for axis in self.searched.values():
            values = axis_size(axis)
            if values is None:
                return None
            size *= values
        return min(size, SIZE_LIMIT)


def axis_size(axis: Choice | Range) -> int | None:
    """Return how many values an axis has, or None where it is continuous."""
    if isinstance(axis, Choice):
        return len(axis.values)
    if not axis.whole:
        return None
    return int(axis.high) - int(axis.low) + 1


def axis_value(axis: Choice | Range, index: int) -> Any:
    """Return value number `index` (from 0) of an axis that is not continuous."""
    if isinstance(axis, Choice):
        return axis.values[index]
    return int(axis.low) + index


def value_at(axis: Choice | Range, fraction: float) -> Any:
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


def to_json(space: Space) -> list[dict[str, Any]]:
    """Return the space as scan.json keeps it: a list, because the order of the cell matters."""
    return [{"name": name, **_axis_json(axis)} for name, axis in space.axes.items()]


def _axis_json(axis: Axis) -> dict[str, Any]:
    """Return an axis as scan.json keeps it, without the name."""
    if isinstance(axis, Fixed):
        return {"kind": "fixed", "value": axis.value}
    if isinstance(axis, Choice):
        return {"kind": "choice", "values": list(axis.values)}
    if isinstance(axis, Repeats):
        return {"kind": "repeats", "count": axis.count}
    return {
        "kind": "range",
        "low": axis.low,
        "high": axis.high,
        "log": axis.log,
        "whole": axis.whole,
    }


def from_json(items: list[Fields]) -> Space:
    """Return the space that `to_json` wrote, of which each item is one axis.

    Raises DamagedRecord if it is not sound, SpaceError for a kind of axis that only a later version
    knows.
    """
    axes: dict[str, Axis] = {}
    for item in items:
        name = numbers.decode_all(item.text("name"))
        if not isinstance(name, str) or not is_parameter_name(name):
            raise item.wrong("name", "the name of a parameter")
        if name in axes:
            raise item.wrong("name", "the name of another parameter")
        axes[name] = _axis_from(item, name)
    if sum(isinstance(axis, Repeats) for axis in axes.values()) > 1:
        raise SpaceError("More than one parameter of the scan repeats its points.")
    return Space(axes)


def _axis_from(item: Fields, name: str) -> Axis:
    """Return the axis that `_axis_json` wrote. Raises DamagedRecord or SpaceError."""
    kind = item.text("kind")
    if kind == "fixed":
        item.need("value")
        return Fixed(numbers.decode_all(item.value("value")))
    if kind == "choice":
        values = item.items("values")
        if not values or not is_bounded(values):
            raise item.wrong("values", "a list of some values")
        return Choice(tuple(numbers.decode_all(values)))
    if kind == "repeats":
        return Repeats(item.whole("count", 1, GRID_LIMIT))
    if kind == "range":
        return _range_from(item)
    raise SpaceError(
        f"This version does not know the kind of axis {shown(kind)}"
        f" that the scan uses for {shown(name)}."
    )


def _range_from(item: Fields) -> Range:
    """Return a range. Raises DamagedRecord if its ends cannot be those of one."""
    largest = sys.float_info.max
    log, whole = item.truth("log"), item.truth("whole")
    low = item.number("low", -largest, largest)
    high = item.number("high", low, largest)
    if log and low <= 0:
        raise item.wrong("low", "larger than 0, since the range is even in the logarithm")
    return Range(low, high, log, whole)


def is_parameter_name(text: str) -> bool:
    """Return whether a text can name a parameter: it is short, and nothing in it is hidden."""
    return 0 < len(text) <= PARAMETER_NAME_LIMIT and text.isprintable()
