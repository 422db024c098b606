"""Proposes the points of a scrambled Sobol sequence, which lie more evenly than random points.

SciPy's `qmc.Sobol` makes the sequence, with the scrambling of Owen.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from jupyter_gridgpu.model.scan import Objective
from jupyter_gridgpu.model.space import Space, value_at
from jupyter_gridgpu.samplers.base import Proposal, Trial, need_searched


class SobolSampler:
    """Proposes the points of a Sobol sequence in order, without an end."""

    adaptive = False

    def __init__(self, space: Space, objective: Objective | None) -> None:
        """Raise UsageError if there is nothing to choose."""
        need_searched("sobol", space)
        self._space = space

    def propose(self, history: Sequence[Trial], n: int, seed: int, index: int) -> list[Proposal]:
        """Return points `index` to `index + n - 1` of the sequence."""
        # SciPy takes a second to import, and only scans with this sampler need it.
        from scipy.stats import qmc

        axes = self._space.searched
        sequence = qmc.Sobol(len(axes), scramble=True, rng=seed)
        with warnings.catch_warnings():
            # SciPy warns of a number of points that is no power of two. Users choose their own.
            warnings.simplefilter("ignore", UserWarning)
            if index:
                sequence.fast_forward(index)
            rows = sequence.random(n)
        return [self._point(row) for row in rows]

    def _point(self, row: Sequence[float]) -> Proposal:
        """Return the point of one row: a fraction from 0 to 1 for each axis."""
        pairs = zip(self._space.searched.items(), row, strict=True)
        return Proposal({name: value_at(axis, float(fraction)) for (name, axis), fraction in pairs})
