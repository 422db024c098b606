"""Proposes every combination of values once; the last parameter of the cell changes fastest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.scan import Objective
from jupyter_gridgpu.model.space import GRID_LIMIT, Space, axis_size, axis_value
from jupyter_gridgpu.samplers.base import Proposal, Trial


class GridSampler:
    """Proposes the points of a grid in order, until there are no more."""

    adaptive = False

    def __init__(self, space: Space, objective: Objective | None) -> None:
        """Raise UsageError if an axis is continuous, or if the grid has too many points."""
        size = space.grid_size()
        if size is None:
            ranges = [name for name, axis in space.searched.items() if axis_size(axis) is None]
            raise UsageError(
                f"A grid needs values to step through, and {', '.join(ranges)} is a continuous"
                " range: use linspace(low, high, n) or geomspace(low, high, n),"
                " or --sampler random with --trials N."
            )
        if size > GRID_LIMIT:
            raise UsageError(
                f"The grid has {size:,} points, more than the {GRID_LIMIT:,} that a scan may have:"
                " give fewer values, or take a sample of it with --sampler random --trials N."
            )
        self._space = space
        self._size = size

    def propose(self, history: Sequence[Trial], n: int, seed: int, index: int) -> list[Proposal]:
        """Return points `index` to `index + n - 1`, or fewer at the end of the grid."""
        end = min(index + n, self._size)
        return [Proposal(self._point(number)) for number in range(index, end)]

    def _point(self, number: int) -> dict[str, Any]:
        """Return the values of point `number` of the grid."""
        # The number is written in digits, each of which has the size of its axis as base. The
        # last axis changes fastest, so its digit is the last one.
        params: dict[str, Any] = {}
        for name, axis in reversed(self._space.searched.items()):
            number, digit = divmod(number, axis_size(axis) or 1)
            params[name] = axis_value(axis, digit)
        return dict(reversed(params.items()))
