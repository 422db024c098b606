"""What is left to do in a scan, from its view alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

from jupyter_gridgpu.model.job import END_STATES, variant_id
from jupyter_gridgpu.model.ranking import by_point, known_means
from jupyter_gridgpu.model.records import VariantProposed
from jupyter_gridgpu.model.view import ScanView, VariantView
from jupyter_gridgpu.samplers.base import EARLIER, OWN, SAMPLED, Trial
from jupyter_gridgpu.store import points as points_file
from jupyter_gridgpu.store.earlier import EarlierResult


def missing_variants(view: ScanView) -> list[tuple[str, int, int]]:
    """Return id, point and repeat of the variants of all points that the view does not know.

    A variant is missing if a runner was killed while it wrote a point, if the line of the journal
    that proposed it is damaged, or if the scan was extended by more repeats. They come in the order
    in which they were due, which is that of their ids: ids that are left out come first.
    """
    repeats = view.scan.space.repeat_count
    # In nearly every call nothing is missing, and the variants need not be looked at.
    if view.scan.recorded or len(view.variants) >= view.points * repeats:
        return []
    known = {(variant.point, variant.repeat) for variant in view.variants.values()}
    wanted = itertools.product(range(view.points), range(repeats))
    missing = [place for place in wanted if place not in known]
    missing.sort(key=lambda place: view.growth.round_of(*place))
    return [(ident, *place) for ident, place in zip(free_ids(view), missing, strict=False)]


def free_ids(view: ScanView) -> Iterator[str]:
    """Yield the ids of the next variants, first those that are left out among the known ones.

    An id says in which order variants were proposed, and nothing of point and repeat.
    """
    known = view.variants
    return (ident for number in itertools.count(1) if (ident := variant_id(number)) not in known)


def history(view: ScanView) -> list[Trial]:
    """Return the points so far as a sampler sees them, in the order in which they were proposed."""
    searched = view.scan.space.searched
    return [_trial(view, group, searched) for group in by_point(view.variants.values()).values()]


def earlier_trials(results: Iterable[EarlierResult]) -> list[Trial]:
    """Return results of earlier scans as a sampler sees them."""
    return [Trial(dict(result.params), {}, "done", result.values, EARLIER) for result in results]


def _trial(view: ScanView, variants: list[VariantView], searched: Iterable[str]) -> Trial:
    """Return one point as a Trial; its values are means over the repeats that are done."""
    # Not every parameter is active at every point.
    given = variants[0].params
    params = {name: given[name] for name in searched if name in given}
    attrs = variants[0].attrs
    source = OWN if view.growth.is_own(variants[0].point) else SAMPLED
    # The mean of some of the repeats would change later. A sampler gets it once all have ended.
    if any(variant.state not in END_STATES or view.wants_job(variant) for variant in variants):
        return Trial(params, attrs, "running", source=source)
    done = [variant for variant in variants if variant.state == "done"]
    found = known_means(done, view.scan.objectives)
    if all(value is None for value in found):
        return Trial(params, attrs, "failed", source=source)
    return Trial(params, attrs, "done", found, source)


def missing_points(view: ScanView, path: Path) -> list[VariantProposed]:
    """Return the given points in the file `path` that are not variants of the scan yet.

    Of a user's own points, those before a point of the sampler are not looked for: they are among
    `missing_variants`. Raises StorageError if the file cannot be read or is damaged.
    """
    scan = view.growth.original  # the file has as many repeats as there were at the start
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
    return view.points >= view.trials() and not missing_variants(view)
