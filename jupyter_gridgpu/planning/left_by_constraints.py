"""Counts what the constraints of a space leave of its grid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.model.space import SIZE_LIMIT, Space
from jupyter_gridgpu.model.statements import Require, Statement, When


def left_by_constraints(scan: ScanSpec) -> tuple[int, int] | None:
    """Return how many points of a grid meet its constraints, and how many there are without.

    The answer is None for a scan without constraints, and where no grid is gone through: a replay
    has its points already.
    """
    if scan.sampler != "grid" or scan.origin is not None:
        return None
    left, size = grid_size(scan.space), size_without_constraints(scan.space)
    # So many points are not counted.
    return None if left is None or size is None or size >= SIZE_LIMIT else (left, size)


def size_without_constraints(space: Space) -> int | None:
    """Return how many points the grid of a space with constraints would have without them.

    The answer is None for a space that has no constraints, and where the number is not known.
    """
    if not space.constraints:
        return None
    return grid_size(Space.of(_without_constraints(space.statements), space.defaults))


def grid_size(space: Space) -> int | None:
    """Return how many points the grid has, or None if an expression has no value at one."""
    try:
        return space.grid_size()
    except SpaceError:
        return None


def _without_constraints(statements: Iterable[Statement]) -> list[Statement]:
    found: list[Statement] = []
    for item in statements:
        if isinstance(item, When):
            inner = _without_constraints(item.statements), _without_constraints(item.otherwise)
            item = replace(item, statements=tuple(inner[0]), otherwise=tuple(inner[1]))
        if not isinstance(item, Require):
            found.append(item)
    return found
