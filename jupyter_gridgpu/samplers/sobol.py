"""A scrambled Sobol sequence: points that leave no holes, evener than random ones (Owen's scrambling, SciPy's qmc)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from jupyter_gridgpu.model.scan import Objective
from jupyter_gridgpu.model.space import Space, at
from jupyter_gridgpu.samplers.base import Proposal, Trial, need_searched


class SobolSampler:
    adaptive = False

    def __init__(self, space: Space, objective: Objective | None) -> None:
        need_searched("sobol", space)
        self._space = space

    def propose(self, history: Sequence[Trial], n: int, seed: int, index: int) -> list[Proposal]:
        from scipy.stats import qmc

        axes = self._space.searched
        sequence = qmc.Sobol(len(axes), scramble=True, rng=seed)
        with (
            warnings.catch_warnings()
        ):  # SciPy warns of counts that are no power of two; users choose their own
            warnings.simplefilter("ignore", UserWarning)
            points = sequence.fast_forward(index).random(n) if index else sequence.random(n)
        return [
            Proposal(
                {
                    name: at(axis, float(x))
                    for (name, axis), x in zip(axes.items(), point, strict=True)
                }
            )
            for point in points
        ]
