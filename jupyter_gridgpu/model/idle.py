"""Which variants may want a job, in the order in which they were proposed."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator


class IdleNumbers:
    """The numbers of the variants that may want a job, sorted.

    Variants get their attempts in the order in which they were proposed. A variant that is to be
    tried again goes back to its old place.
    """

    def __init__(self, numbers: list[int] | None = None) -> None:
        """Begin with numbers that are sorted."""
        self._numbers = numbers or []

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)

    def put(self, number: int, wants: bool) -> None:
        """Put a number into the list if its variant may want a job, else take it out."""
        index = bisect_left(self._numbers, number)
        there = self._numbers[index : index + 1] == [number]
        if wants and not there:
            self._numbers.insert(index, number)
        elif there and not wants:
            del self._numbers[index]
