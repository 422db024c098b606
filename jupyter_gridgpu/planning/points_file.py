"""Reads points that a user wrote into a file (`--points`), and checks them against the space.

    lr,optimizer,momentum
    0.001,adam,
    0.01,sgd,0.9

Each point has a value for every parameter that varies and is active at it. Whatever is wrong is
one sentence with file and line, before anything is sent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import SpaceError, UsageError
from jupyter_gridgpu.model.axes import Searched, alike, value_in
from jupyter_gridgpu.model.expressions import quoted
from jupyter_gridgpu.model.numbers import to_float
from jupyter_gridgpu.model.program import Draw, Walk, point_key
from jupyter_gridgpu.model.space import GRID_LIMIT, Choice, Space
from jupyter_gridgpu.planning.parameter import short_text
from jupyter_gridgpu.planning.point_rows import NOTHING, Cell, PointRow, rows
from jupyter_gridgpu.store import points
from jupyter_gridgpu.store.home import user_path

VALUES_SHOWN = 8
CLOSE = 1e-9  # how much a computed value may differ, relatively: its text may be rounded


@dataclass(frozen=True)
class OwnPoints:
    """The points of a scan that its user has written."""

    count: int = 0
    lines: str = ""  # the content of points.jsonl

    def fields(self) -> dict[str, Any]:
        """Return the fields of a ScanSpec that tell of them."""
        return {
            "own_points": self.count,
            "recorded_digest": points.digest(self.lines) if self.count else "",
        }


def own_points(path: str | None, space: Space) -> OwnPoints:
    """Return the points of the file that `--points` names, if it does. Raises UsageError."""
    if path is None:
        return OwnPoints()
    if not isinstance(path, str) or not path:
        raise UsageError(f"--points {short_text(path)}: give the path of a file.")
    found = read_points(path, space)
    variants = len(found) * space.repeat_count
    if variants > GRID_LIMIT:
        raise UsageError(
            f"--points {path}: with repeats it makes {variants:,} variants; a scan may have"
            f" {GRID_LIMIT:,}."
        )
    return OwnPoints(len(found), points.own_lines(space, found))


def read_points(path: str | Path, space: Space) -> list[dict[str, Any]]:
    """Return the points in a CSV or JSON file: of each the parameters that were chosen, in order.

    They are what a sampler of this space would propose. Raises UsageError with one sentence.
    """
    if not space.searched:
        raise UsageError(f"{path}: no parameter varies in this space, so it has one point only.")
    found: dict[str, tuple[dict[str, Any], str]] = {}
    for row in rows(user_path(path)):
        if len(found) == GRID_LIMIT:
            raise UsageError(f"{path} has more than {GRID_LIMIT:,} points; a scan may have these.")
        point = _point(row, space)
        key = point_key(point)
        if key in found:
            _, where = found[key]
            raise row.refused(
                f"it is the same point as {where.rpartition(', ')[2]}. Leave one of them out; to"
                " run points several times, give the space a parameter with repeats(n)."
            )
        found[key] = point, row.place
    if not found:
        raise UsageError(f"{path} has no points: write one a line, below the names of parameters.")
    return [point for point, _ in found.values()]


# one point ----------------------------------------------------------------------------------


def _point(row: PointRow, space: Space) -> dict[str, Any]:
    """Return what is chosen at a point. Raises UsageError."""
    _check_names(row, space)

    def choose(draw: Draw) -> Any:
        return _chosen(row, draw)

    try:
        walked = space.point(choose)
    except SpaceError as error:
        raise row.refused(str(error)) from None
    if walked.broken is not None:
        raise row.refused(
            f"the point does not meet {quoted(walked.broken.text)}. Change it, or leave it out."
        )
    for name, cell in row.cells.items():
        if not cell.empty and name not in walked.chosen:
            _check_given(row, name, cell, walked)
    return walked.chosen


def _check_names(row: PointRow, space: Space) -> None:
    """Raise UsageError for a name that no point of the space has a value of its own for."""
    repeated = space.repeats
    for name in row.cells:
        if repeated is not None and name == repeated[0]:
            raise row.refused(
                f"{name} counts the repeats, and each point has all of them: leave {name} out."
            )
        if name not in set(space):
            known = list(space.searched)[:VALUES_SHOWN]
            raise row.refused(
                f"{short_text(name)} is no parameter of the space. Leave it out, or give it values"
                f" in the space; these vary: {', '.join(known)}."
            )


def _chosen(row: PointRow, draw: Draw) -> Any:
    """Return the value of an axis at a point. Raises UsageError."""
    cells = [row.cells.get(name, NOTHING) for name in draw.names]
    if len(cells) == 1:
        found = _meant(cells[0], draw.axis)
    else:
        assert isinstance(draw.axis, Choice)
        found = [list(value) for value in draw.axis.values if _is_row(cells, value)][:1]
    if found:
        return found[0]
    takes = f"the space takes {_values_text(draw.axis)}"
    for name, cell in zip(draw.names, cells, strict=True):
        if cell.empty:
            raise row.refused(
                f"{name} has no value, and it needs one, since it is active at this point; {takes}."
            )
    shown = ", ".join(short_text(cell.readings[0]) for cell in cells)
    verb = "is" if len(cells) == 1 else "are"
    raise row.refused(
        f"{', '.join(draw.names)} {verb} {shown}, and {takes}. Change the point or the space."
    )


def _values_text(axis: Searched) -> str:
    """Say in words which values an axis has, each as it has to be written."""
    if isinstance(axis, Choice):
        shown = ", ".join(short_text(value) for value in axis.values[:VALUES_SHOWN])
        left = len(axis.values) - VALUES_SHOWN
        return f"one of {shown}" + (f" and {left:,} others" if left > 0 else "")
    kind = "whole numbers" if axis.whole else "numbers"
    step = "" if axis.step is None else f" in steps of {axis.step!r}"
    return f"{kind} from {axis.low!r} to {axis.high!r}{step}"


def _meant(cell: Cell, axis: Any) -> list[Any]:
    """Return the value of an axis that a cell means, in a list; an empty list if there is none."""
    for reading in cell.readings:
        try:
            return [value_in(axis, reading)]
        except ValueError:
            continue
    return []


def _is_row(cells: Sequence[Cell], row: Sequence[Any]) -> bool:
    return all(_meant(cell, Choice((value,))) for cell, value in zip(cells, row, strict=True))


def _check_given(row: PointRow, name: str, cell: Cell, walked: Walk) -> None:
    """Raise UsageError if a parameter that is not chosen has another value in the file."""
    shown = short_text(cell.readings[0])
    if name not in walked.params:
        raise row.refused(f"{name} is {shown}, but it is not active at this point: leave it empty.")
    value = walked.params[name]
    if not any(_is_close(reading, value) for reading in cell.readings):
        raise row.refused(
            f"{name} is {shown}, but the space makes it {short_text(value)} at this point: leave it"
            " empty, or change the space."
        )


def _is_close(one: Any, other: Any) -> bool:
    """Return whether two values are the same, but for the rounding of a number's text."""
    if alike(one, other):
        return True
    kinds = {type(one), type(other)}
    if float not in kinds or not kinds <= {int, float}:
        return False
    return math.isclose(to_float(one), to_float(other), rel_tol=CLOSE)
