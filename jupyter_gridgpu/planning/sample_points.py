"""Looks at some points of a space before anything is started.

What a point is, where there are conditions and constraints, shows when one is made: whether the
constraints leave any, and whether values that follow from others are of the right kind.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.program import Draw, Walk
from jupyter_gridgpu.model.space import Fixed, Space, value_at
from jupyter_gridgpu.planning.notebook import Notebook
from jupyter_gridgpu.planning.parameter import check_axis
from jupyter_gridgpu.samplers.base import drawn_point

SAMPLE = 1000  # points that are drawn to see how many meet the constraints
FEW = 0.02  # of the points; fewer are worth a warning


def point_warnings(notebook: Notebook, space: Space, sampler: str) -> tuple[str, ...]:
    """Return what is odd about the points of a space, in sentences.

    Raises SpaceError if no point meets the constraints, if an expression has no value at a point of
    a grid, or if a value that follows from others is of the wrong kind.
    """
    if not space.statements:
        return ()
    generator = random.Random(0)

    def choose(draw: Draw) -> Any:
        return value_at(draw.axis, generator.random())

    if sampler == "grid":
        # Counting the points computes only what decides about them.
        deque(space.grid(), maxlen=0)
        # Of a space that was extended, only new points are to be looked at.
        points = (space.complete(point) for point in islice(space.new_points(), SAMPLE))
        _check_derived(notebook, space, points)
        return ()
    drawn_point(space, choose)  # it says so if there is none
    walks: list[Walk] = []
    failed: list[str] = []
    for _ in range(SAMPLE):
        try:
            walks.append(space.point(choose))
        except SpaceError as error:
            failed.append(str(error))
    met = sum(walk.broken is None for walk in walks)
    _check_derived(notebook, space, (walk.params for walk in walks if walk.broken is None))
    found = []
    if sampler == "nsgaii" and space.has_conditions:
        found.append(
            "--sampler nsgaii draws parameters that are not active at all points at random;"
            " --sampler tpe learns them."
        )
    if failed:
        found.append(f"{failed[0]} Points like this are left out.")
    if met < FEW * SAMPLE:
        found.append(
            f"About {max(met, 1) / SAMPLE:.1%} of the points meet the constraints; narrower ranges"
            " serve a sampler better."
        )
    return tuple(found)


def _check_derived(notebook: Notebook, space: Space, points: Iterable[Mapping[str, Any]]) -> None:
    """Raise SpaceError if a derived value at a point is of the wrong kind for its parameter."""
    derived = {name for name, axis in space.lines() if axis is None}
    for params in points:
        for name in derived.intersection(params, notebook.parameters):
            check_axis(notebook.parameters[name], Fixed(params[name]), notebook.path.name)
