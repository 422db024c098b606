"""The Pareto front: the points that no other point dominates.

A point dominates another one if it is as good in all objectives and better in at least one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from operator import ge

Point = tuple[float, ...]  # one number for each objective; larger is better
FEW = 1024  # pairs that are compared one by one, since that is faster than to divide them


def front(points: Sequence[Point]) -> list[int]:
    """Return the indices of the points that no other point dominates, in order.

    Equal points do not dominate each other. A point with NaN is never in the front. With two
    objectives the cost is that of sorting; with more it grows by a logarithm for each.
    """
    indices: dict[Point, list[int]] = {}
    for index, point in enumerate(points):
        if not any(math.isnan(value) for value in point):
            indices.setdefault(point, []).append(index)
    # The best come first: in this order, no point is dominated by one behind it.
    kept = _undominated(sorted(indices, reverse=True))
    return sorted(index for point in kept for index in indices[point])


def _undominated(points: list[Point]) -> list[Point]:
    """Return the points that none of the others dominates; they are sorted and all different."""
    if len(points) < 2:
        return points
    half = len(points) // 2
    first, second = _undominated(points[:half]), _undominated(points[half:])
    # The order says that the first ones are as good in the first objective.
    beaten = _beaten(first, second, 1)
    return [*first, *(point for point in second if point not in beaten)]


def _beaten(above: list[Point], below: list[Point], start: int) -> set[Point]:
    """Return those of `below` that one of `above` reaches in all objectives from `start` on."""
    if not above or not below:
        return set()
    left = len(below[0]) - start
    if left <= 0:
        return set(below)
    if left <= 2:
        return _beaten_in_two(above, below, start)
    if len(above) * len(below) <= FEW:
        tails = [one[start:] for one in above]
        return {point for point in below if _is_reached(point[start:], tails)}
    least, most = min(one[start] for one in above), max(one[start] for one in above)
    if least >= max(point[start] for point in below):
        return _beaten(above, below, start + 1)
    if most < min(point[start] for point in below):
        return set()
    bar = _bar(point[start] for point in (*above, *below))
    high = [one for one in above if one[start] >= bar]
    low = [one for one in above if one[start] < bar]
    found = _beaten(high, [point for point in below if point[start] >= bar], start)
    rest = [point for point in below if point[start] < bar]
    lost = _beaten(high, rest, start + 1)
    found |= lost
    found |= _beaten(low, [point for point in rest if point not in lost], start)
    return found


def _beaten_in_two(above: list[Point], below: list[Point], start: int) -> set[Point]:
    """Return what `_beaten` does for the last one or two objectives, by a walk along the first."""
    beaten = set()
    best, taken = -math.inf, 0
    ordered = sorted(above, key=lambda one: one[start], reverse=True)
    for point in sorted(below, key=lambda one: one[start], reverse=True):
        while taken < len(ordered) and ordered[taken][start] >= point[start]:
            best = max(best, ordered[taken][-1])
            taken += 1
        if taken and best >= point[-1]:
            beaten.add(point)
    return beaten


def _is_reached(point: Point, others: list[Point]) -> bool:
    return any(all(map(ge, other, point)) for other in others)


def _bar(values: Iterable[float]) -> float:
    """Return a value near the middle that is larger than the least one; there are two or more."""
    ordered = sorted(values)
    middle = ordered[len(ordered) // 2]
    if middle > ordered[0]:
        return middle
    return next(value for value in ordered if value > middle)
