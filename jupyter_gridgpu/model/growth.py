"""What a scan has become by its extensions: its space now, own points, more repeats.

The journal keeps each extension; this module holds what follows from all of them together. Whoever
needs the space of a scan takes it from `scan`, which is the spec with the space as it is now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model import extension as extensions
from jupyter_gridgpu.model.extension import Extension
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.model.space import GRID_LIMIT, Space
from jupyter_gridgpu.model.units import count_text

EXTENSIONS_LIMIT = 100  # of the space, or by own points: each one costs at every look at the scan
PARTS_SHOWN = 8  # of what was added, in a sentence
VARIANTS_LIMIT = 10**7  # an id has at most seven digits


class Growth:
    """The extensions of a scan, but for those that only add points of its sampler."""

    def __init__(self, original: ScanSpec, records: Iterable[Mapping[str, Any]] = ()) -> None:
        """Apply extensions that were recorded. Raises SpaceError or DamagedRecord."""
        self.original = original  # as scan.json has it
        self.scan = original  # with the space as it is now
        self.records: list[dict[str, Any]] = []
        self.extensions: list[Extension] = []
        self.own_points = 0
        self._seen = 0  # extensions that were looked at
        self._own: list[tuple[int, tuple[dict[str, Any], ...]]] = []  # with the number of the first
        self._spaces: list[tuple[int, Space]] = []  # with the number of the first point
        self._rounds: list[tuple[int, int]] = []  # points there were, and repeats from then on
        for record in records:
            self.add(record, record.get("first"))

    def add(self, record: Mapping[str, Any], first: object) -> None:
        """Apply one extension; `first` is how many points there were.

        The scan stays as it was if SpaceError or DamagedRecord is raised.
        """
        if type(first) is not int or not 0 <= first < VARIANTS_LIMIT:
            raise SpaceError("An extension does not say how many points there were.")
        # Those that are refused count, too: looking at them costs as much.
        self._seen += 1
        if self._seen > EXTENSIONS_LIMIT:
            raise SpaceError(f"A scan can be extended {EXTENSIONS_LIMIT} times; start a new scan.")
        made = extensions.from_json(record)
        scan = self.grown(made)
        # Counting the points of a grid may take a second, and there may be many extensions.
        is_small = scan.trials is None and (scan.space.product() or 0) <= GRID_LIMIT
        if not is_small and scan.total() > VARIANTS_LIMIT:
            raise SpaceError(f"The scan would have more than {VARIANTS_LIMIT:,} variants.")
        self.scan = scan
        if made.add:
            self._spaces.append((first, scan.space))
        self.records.append({**extensions.keys_of(record), "first": first})
        self.extensions.append(replace(made, trials=0))
        if made.points:
            # Behind own points that are still to come: two commands may be applied at once, or one
            # before the points of the scan's own file.
            ends = (begin + len(points) for begin, points in self._own)
            self._own.append((max(first, self.original.own_points, *ends), made.points))
            self.own_points += len(made.points)
        if made.repeats is not None:
            self._rounds.append((first, made.repeats))

    def grown(self, extension: Extension) -> ScanSpec:
        """Return the spec as it would be with one more extension. Raises SpaceError."""
        if not extension.add and extension.repeats is None:
            return self.scan
        return replace(self.scan, space=extensions.extended(self.scan.space, extension))

    def sentence(self, trials: int) -> str:
        """Return what the scan was extended by, with `trials` points of its sampler in all.

        It is empty if that is nothing.
        """
        parts = [part for item in self.extensions for part in item.texts()]
        if trials:
            parts.append(f"{count_text(trials, 'point')} more")
        if not parts:
            return ""
        left_out = len(parts) - PARTS_SHOWN
        if left_out > 0:
            parts = [f"{left_out:,} things before", *parts[left_out:]]
        return f"Extended by {'; '.join(parts)}."

    def own_after(self, point: int) -> list[dict[str, Any]]:
        """Return the own points that are not proposed yet, where `point` is the next one."""
        return [
            params
            for first, points in self._own
            for number, params in enumerate(points, first)
            if number >= point
        ]

    def own_from(self, point: int) -> tuple[dict[str, Any], ...]:
        """Return the own points from number `point` on, as far as they follow each other."""
        for first, points in self._own:
            if first <= point < first + len(points):
                return points[point - first :]
        return ()

    def own_begins(self, point: int) -> int | None:
        """Return the number of the first own point behind number `point`, or None."""
        return min((first for first, _ in self._own if first > point), default=None)

    def is_own(self, point: int) -> bool:
        """Return whether a point is the user's own, and not the sampler's."""
        # Without a copy of the points, since a sampler that learns asks for each of its trials.
        later = any(first <= point < first + len(points) for first, points in self._own)
        return later or point < self.original.own_points

    def sampled_before(self, point: int) -> int:
        """Return how many of the points before number `point` are those of the sampler."""
        own = sum(min(max(point - first, 0), len(points)) for first, points in self._own)
        return point - own - self.original.own_points

    def space_at(self, point: int) -> Space:
        """Return the space from which point number `point` came."""
        spaces = (space for first, space in reversed(self._spaces) if first <= point)
        return next(spaces, self.original.space)

    def round_of(self, point: int, repeat: int) -> int:
        """Return after how many extensions by repeats a variant of a point was due."""
        for number, (first, repeats) in reversed(list(enumerate(self._rounds))):
            before = self._rounds[number - 1][1] if number else self.original.space.repeat_count
            if point < first and before <= repeat < repeats:
                return number + 1
        return 0
