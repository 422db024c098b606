"""Proposes every combination of values once; the last parameter of the cell changes fastest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.expressions import quoted
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.space import GRID_LIMIT, SIZE_LIMIT, Space, axis_size, axis_value
from jupyter_gridgpu.samplers.base import Proposal, Trial


class GridSampler:
    """Proposes the points of a grid in order, until there are no more."""

    adaptive = False

    def __init__(self, space: Space, objectives: Sequence[Objective]) -> None:
        """Raise UsageError if an axis is continuous, or if the grid has too many points or none."""
        size = space.grid_size()
        if size is None:
            endless = (draw.names for draw in space.draws if axis_size(draw.axis) is None)
            ranges = dict.fromkeys(name for names in endless for name in names)
            raise UsageError(
                f"A grid needs values to step through, and {', '.join(ranges)} is a continuous"
                " range: use linspace(low, high, n) or geomspace(low, high, n),"
                " or --sampler random with --trials N."
            )
        if size > GRID_LIMIT:
            counted = f"{size:,} points"
            if space.statements and size == SIZE_LIMIT:
                counted = "too many points to count"
            raise UsageError(
                f"The grid has {counted}, more than the {GRID_LIMIT:,} that a scan may have:"
                " give fewer values, or take a sample of it with --sampler random --trials N."
            )
        if size == 0:
            listed = " and ".join(quoted(condition.text) for condition in space.constraints)
            raise UsageError(f"No point of the grid meets {listed}: give other values.")
        self._space = space
        self._size = size
        # Where there are statements, or where the space was extended, a point is found by going
        # through those before it. So the walk is kept, with the number of its next point. A new
        # sampler has to begin anew, which takes a few microseconds for each point.
        self._walk: tuple[int, Iterator[dict[str, Any]]] = (0, iter(()))

    def propose(self, history: Sequence[Trial], n: int, seed: int, index: int) -> list[Proposal]:
        """Return points `index` to `index + n - 1`, or fewer at the end of the grid."""
        end = min(index + n, self._size)
        if not self._space.statements and self._space.before is None:
            return [Proposal(self._point(number)) for number in range(index, end)]
        number, points = self._walk
        if number != index or index == 0:
            points = islice(self._space.grid(), index, None)
        self._walk = max(index, end), points
        return [Proposal(self._ordered(point)) for point in islice(points, max(end - index, 0))]

    def _ordered(self, point: dict[str, Any]) -> dict[str, Any]:
        """Return a point in the order of the cell, whichever branch gave its parameters."""
        return {name: point[name] for name in self._space if name in point}

    def _point(self, number: int) -> dict[str, Any]:
        """Return the values of point `number` of a plain grid."""
        # The number is written in digits, each of which has the size of its axis as base. The
        # last axis changes fastest, so its digit is the last one.
        params: dict[str, Any] = {}
        for name, axis in reversed(self._space.searched.items()):
            number, digit = divmod(number, axis_size(axis) or 1)
            params[name] = axis_value(axis, digit)
        return dict(reversed(params.items()))
