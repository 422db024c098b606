"""Proposes independent points: each depends only on its number and on the seed.

A point that does not meet a constraint is drawn again, with the next numbers of the same generator.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.program import Draw
from jupyter_gridgpu.model.space import Space, value_at
from jupyter_gridgpu.samplers.base import Proposal, Trial, drawn_point, need_searched, until_none


class RandomSampler:
    """Proposes independent points, without an end."""

    adaptive = False

    def __init__(self, space: Space, objectives: Sequence[Objective]) -> None:
        """Raise UsageError if there is nothing to choose."""
        need_searched("random", space)
        self._space = space

    def propose(self, history: Sequence[Trial], n: int, seed: int, index: int) -> list[Proposal]:
        """Return points `index` to `index + n - 1`.

        Raises SpaceError if the constraints leave next to nothing.
        """
        # Each point has a generator of its own: a single generator for all points would have to
        # draw all earlier points again after every restart.
        generators = (random.Random(f"{seed}:{number}") for number in range(index, index + n))
        return until_none(self._point(generator) for generator in generators)

    def _point(self, generator: random.Random) -> Proposal:
        """Return a point with one random number for each axis that is active."""

        def choose(draw: Draw) -> Any:
            return value_at(draw.axis, generator.random())

        return Proposal(drawn_point(self._space, choose).chosen)
