"""The hyper-parameter space: which values each parameter of the notebook may take."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Union

from jupyter_gridgpu.errors import SpaceError

GRID_LIMIT = 100_000


@dataclass(frozen=True)
class Fixed:
    """One value of any JSON kind, the same in every variant."""

    value: Any


@dataclass(frozen=True)
class Choice:
    """A few values, in the order written."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`, both ends included; `log`: even in the logarithm; `whole`: integers."""

    low: float
    high: float
    log: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Repeats:
    """Every point `count` times, with the seeds 0 .. count-1 as values."""

    count: int


Axis = Union[Fixed, Choice, Range, Repeats]


@dataclass(frozen=True)
class Space:
    """Parameter name -> Axis, in the order of the cell."""

    axes: dict[str, Axis]

    def __iter__(self) -> Iterator[str]:
        return iter(self.axes)

    @property
    def fixed(self) -> dict[str, Any]:
        return {name: axis.value for name, axis in self.axes.items() if isinstance(axis, Fixed)}

    @property
    def searched(self) -> dict[str, Choice | Range]:
        """The axes that a sampler chooses on."""
        return {name: axis for name, axis in self.axes.items() if isinstance(axis, (Choice, Range))}

    @property
    def repeats(self) -> tuple[str, int] | None:
        """The name of the repeated seed and how often, if there is one."""
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
        return [name for name, axis in self.axes.items() if not isinstance(axis, Fixed)]

    def grid_size(self) -> int | None:
        """How many points a full grid has (repeats not counted), or None where an axis is continuous."""
        sizes = [axis_size(axis) for axis in self.searched.values()]
        return None if None in sizes else math.prod(size for size in sizes if size is not None)


def axis_size(axis: Choice | Range) -> int | None:
    """How many values an axis has, or None where it is continuous."""
    if isinstance(axis, Choice):
        return len(axis.values)
    return int(axis.high) - int(axis.low) + 1 if axis.whole else None


def axis_value(axis: Choice | Range, index: int) -> Any:
    """Return value number `index` of a discrete axis."""
    return axis.values[index] if isinstance(axis, Choice) else int(axis.low) + index


def at(axis: Choice | Range, fraction: float) -> Any:
    """Return the value at `fraction` (0 <= fraction < 1) of an axis, so that even fractions give an even sample."""
    size = axis_size(axis)
    if isinstance(axis, Choice):
        return axis.values[min(int(fraction * len(axis.values)), len(axis.values) - 1)]
    low, high = float(axis.low), float(axis.high)
    if size is not None and axis.log:  # the integers' bins reach half a unit beyond both ends
        value = math.exp(
            math.log(low - 0.5) + fraction * (math.log(high + 0.5) - math.log(low - 0.5))
        )
        return min(max(round(value), int(axis.low)), int(axis.high))
    if size is not None:
        return int(axis.low) + min(int(fraction * size), size - 1)
    if axis.log:
        return min(
            max(math.exp(math.log(low) + fraction * (math.log(high) - math.log(low))), low), high
        )
    return min(max(low * (1 - fraction) + high * fraction, low), high)


def to_json(space: Space) -> list[dict[str, Any]]:
    """Return the space as scan.json keeps it: a list, because the order of the cell matters."""
    return [{"name": name, **_axis_json(axis)} for name, axis in space.axes.items()]


def _axis_json(axis: Axis) -> dict[str, Any]:
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


def from_json(items: list[dict[str, Any]]) -> Space:
    """Return the space that `to_json` wrote."""
    return Space({item["name"]: _axis_from(item) for item in items})


def _axis_from(item: dict[str, Any]) -> Axis:
    kind = item["kind"]
    if kind == "fixed":
        return Fixed(item["value"])
    if kind == "choice":
        return Choice(tuple(item["values"]))
    if kind == "repeats":
        return Repeats(item["count"])
    if kind == "range":
        return Range(item["low"], item["high"], item["log"], item["whole"])
    raise SpaceError(
        f"This version does not know the kind of axis {kind!r} that the scan uses for {item['name']!r}."
    )
