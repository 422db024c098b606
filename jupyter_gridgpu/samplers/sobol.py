"""Proposes the points of a scrambled Sobol sequence, which lie more evenly than random points.

SciPy's `qmc.Sobol` makes the sequence, with the scrambling of Owen. Every axis has a column, also
where it is not active. With constraints, the points are those of the sequence that meet them: so
they lie evenly where points may lie.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.program import Draw
from jupyter_gridgpu.model.space import Space, value_at
from jupyter_gridgpu.samplers.base import (
    DRAWS,
    Proposal,
    Trial,
    need_searched,
    sound_point,
    too_few,
)

ROWS = 256  # of the sequence that are made at once


class SobolSampler:
    """Proposes the points of a Sobol sequence in order, without an end."""

    adaptive = False

    def __init__(self, space: Space, objectives: Sequence[Objective]) -> None:
        """Raise UsageError if there is nothing to choose."""
        need_searched("sobol", space)
        self._space = space
        self._column = {draw.key: number for number, draw in enumerate(space.draws)}
        # Where there are constraints: the seed, the points that were found so far, and the rest of
        # them. A new sampler finds the same points again, at some microseconds each.
        self._found: tuple[int, list[Proposal], Iterator[Proposal]] | None = None

    def propose(self, history: Sequence[Trial], n: int, seed: int, index: int) -> list[Proposal]:
        """Return points `index` to `index + n - 1` of the sequence.

        Raises SpaceError if none meets a constraint.
        """
        if not self._space.statements:
            return [self._proposal(row) for row in self._rows(seed, index, n)]
        if self._found is None or self._found[0] != seed:
            self._found = seed, [], self._sound(seed)
        _, points, rest = self._found
        points += islice(rest, max(index + n - len(points), 0))
        if n and len(points) <= index:
            raise SpaceError(too_few(self._space))
        return points[index : index + n]

    def _rows(self, seed: int, index: int, n: int) -> Any:
        """Return rows of the sequence: in each a fraction from 0 to 1 for each axis."""
        # SciPy takes a second to import, and only scans with this sampler need it.
        from scipy.stats import qmc

        sequence = qmc.Sobol(len(self._column), scramble=True, rng=seed)
        with warnings.catch_warnings():
            # SciPy warns of a number of points that is no power of two. Users choose their own.
            warnings.simplefilter("ignore", UserWarning)
            if index:
                sequence.fast_forward(index)
            return sequence.random(n)

    def _sound(self, seed: int) -> Iterator[Proposal]:
        """Yield the points of the sequence that meet the constraints."""
        failed, begin = 0, 0
        while failed < DRAWS:
            for row in self._rows(seed, begin, ROWS):
                walked = sound_point(self._space, self._choose(row))
                failed += 1
                if walked is not None:
                    failed = 0
                    yield Proposal(walked.chosen)
            begin += ROWS

    def _choose(self, row: Sequence[float]) -> Any:
        def choose(draw: Draw) -> Any:
            return value_at(draw.axis, float(row[self._column[draw.key]]))

        return choose

    def _proposal(self, row: Sequence[float]) -> Proposal:
        return Proposal(self._space.point(self._choose(row)).chosen)
