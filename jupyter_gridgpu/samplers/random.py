"""Proposes independent points: each depends only on its number and on the seed."""

from __future__ import annotations

import random
from collections.abc import Sequence

from jupyter_gridgpu.model.scan import Objective
from jupyter_gridgpu.model.space import Space, value_at
from jupyter_gridgpu.samplers.base import Proposal, Trial, need_searched


class RandomSampler:
    """Proposes independent points, without an end."""

    adaptive = False

    def __init__(self, space: Space, objective: Objective | None) -> None:
        """Raise UsageError if there is nothing to choose."""
        need_searched("random", space)
        self._space = space

    def propose(self, history: Sequence[Trial], n: int, seed: int, index: int) -> list[Proposal]:
        """Return points `index` to `index + n - 1`."""
        # Each point has a generator of its own: a single generator for all points would have to
        # draw all earlier points again after every restart.
        numbers = range(index, index + n)
        return [self._point(random.Random(f"{seed}:{number}")) for number in numbers]

    def _point(self, generator: random.Random) -> Proposal:
        """Return a point with one random number for each axis."""
        axes = self._space.searched
        return Proposal({name: value_at(axis, generator.random()) for name, axis in axes.items()})
