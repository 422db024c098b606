"""Independent points; point number i depends on the seed and i alone."""

from __future__ import annotations

import random
from collections.abc import Sequence

from jupyter_gridgpu.model.scan import Objective
from jupyter_gridgpu.model.space import Space, at
from jupyter_gridgpu.samplers.base import Proposal, Trial, need_searched


class RandomSampler:
    adaptive = False

    def __init__(self, space: Space, objective: Objective | None) -> None:
        need_searched("random", space)
        self._space = space

    def propose(self, history: Sequence[Trial], n: int, seed: int, index: int) -> list[Proposal]:
        return [self._point(random.Random(f"{seed}:{i}")) for i in range(index, index + n)]

    def _point(self, source: random.Random) -> Proposal:
        return Proposal(
            {name: at(axis, source.random()) for name, axis in self._space.searched.items()}
        )
