"""The points of a grid without those that were tried before it, in the order of the grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from jupyter_gridgpu.model.program import point_key
from jupyter_gridgpu.samplers.base import Proposal, Sampler, Trial

AT_ONCE = 1000  # points that the grid is asked for


class UntriedPoints:
    """Proposes the points of a sampler that has an end of points, but for some."""

    adaptive = False

    def __init__(self, sampler: Sampler, tried: frozenset[str]) -> None:
        """`tried` has the keys of the points that are left out (`point_key`)."""
        self._sampler = sampler
        self._tried = tried
        # The number of the next point, and the points from there on. Which number a point has
        # depends on those before it, so a new sampler begins anew.
        self._next = 0
        self._rest: Iterator[Proposal] = iter(())

    def propose(self, history: Sequence[Trial], n: int, seed: int, index: int) -> list[Proposal]:
        """Return points `index` to `index + n - 1` of those that are left, or fewer at the end."""
        if index != self._next or index == 0:
            self._rest = islice(self._left(seed), index, None)
        found = list(islice(self._rest, n))
        self._next = index + len(found)
        return found

    def _left(self, seed: int) -> Iterator[Proposal]:
        begin = 0
        while points := self._sampler.propose([], AT_ONCE, seed, begin):
            begin += len(points)
            yield from (point for point in points if point_key(point.params) not in self._tried)
