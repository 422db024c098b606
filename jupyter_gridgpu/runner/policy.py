"""What is left to do in a scan, from its view alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path

from jupyter_gridgpu.model.job import END_STATES
from jupyter_gridgpu.model.ranking import mean
from jupyter_gridgpu.model.records import VariantProposed
from jupyter_gridgpu.model.view import ScanView, VariantView
from jupyter_gridgpu.samplers.base import Trial
from jupyter_gridgpu.store import points as points_file


def missing_repeats(view: ScanView) -> list[tuple[VariantView, int]]:
    """Return the repeats of the last point that are not variants yet.

    Repeats are missing if a runner was killed while it wrote a point. Each repeat is returned with
    the first variant of the same point.
    """
    repeats = view.scan.space.repeats
    if repeats is None or not view.last_point or view.scan.recorded:
        return []
    # Repeats are written in their order, so the missing ones are the last ones.
    _, count = repeats
    return [(view.last_point[0], repeat) for repeat in range(len(view.last_point), count)]


def missing_variants(view: ScanView) -> list[tuple[int, int]]:
    """Return point and repeat of the variants before the last point that the view does not know.

    A variant is missing if the line of the journal that proposed it is damaged.
    """
    repeats = view.scan.space.repeat_count
    before = view.points - 1  # the last point may be half written: `missing_repeats`
    # In nearly every call nothing is missing, and the variants need not be looked at.
    if view.scan.recorded or len(view.variants) - len(view.last_point) >= before * repeats:
        return []
    known = {(variant.point, variant.repeat) for variant in view.variants.values()}
    wanted = itertools.product(range(before), range(repeats))
    return [place for place in wanted if place not in known]


def history(view: ScanView) -> list[Trial]:
    """Return the points so far as a sampler sees them, in the order in which they were proposed."""
    searched = view.scan.space.searched
    variants_of: dict[int, list[VariantView]] = {}
    for variant in view.variants.values():
        variants_of.setdefault(variant.point, []).append(variant)
    return [_trial(view, variants_of[point], searched) for point in sorted(variants_of)]


def _trial(view: ScanView, variants: list[VariantView], searched: Iterable[str]) -> Trial:
    """Return one point as a Trial; its values are means over the repeats that are done."""
    # Not every parameter is active at every point.
    given = variants[0].params
    params = {name: given[name] for name in searched if name in given}
    attrs = variants[0].attrs
    # The mean of some of the repeats would change later. A sampler gets it once all have ended.
    if any(variant.state not in END_STATES or view.wants_job(variant) for variant in variants):
        return Trial(params, attrs, "running")
    done = [view.values(variant) for variant in variants if variant.state == "done"]
    means = tuple(_mean(values) for values in zip(*done, strict=True))
    if all(value is None for value in means):
        return Trial(params, attrs, "failed")
    return Trial(params, attrs, "done", means)


def _mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are known, or None if there are none."""
    known = [value for value in values if value is not None]
    return mean(known) if known else None


def missing_points(view: ScanView, path: Path) -> list[VariantProposed]:
    """Return the given points in the file `path` that are not variants of the scan yet.

    Of a user's own points, those before a point of the sampler are not looked for: they are among
    `missing_variants`. Raises StorageError if the file cannot be read or is damaged.
    """
    scan = view.scan
    given = scan.recorded or scan.own_points * scan.space.repeat_count
    # In nearly every call no point is missing, so the file need not be read.
    if len(view.variants) >= given or (scan.own_points and view.points > scan.own_points):
        return []
    found = points_file.read_all(path, given)
    return [point for point in found if point["variant"] not in view.variants]


def complete(view: ScanView) -> bool:
    """Return whether nothing is left to do.

    Then all points are proposed, every variant has ended, and none is to be tried again.
    """
    if view.active or next(view.waiting(), None) is not None:
        return False
    if view.stopped:
        return True
    if view.scan.recorded:
        return len(view.variants) >= view.scan.recorded
    whole = not missing_repeats(view) and not missing_variants(view)
    return whole and view.points >= view.trials()
