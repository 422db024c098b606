"""What to do next, from the view alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jupyter_gridgpu.model.job import END_STATES
from jupyter_gridgpu.model.view import ScanView, VariantView
from jupyter_gridgpu.samplers.base import Trial
from jupyter_gridgpu.store import points as points_file


def missing_repeats(view: ScanView) -> list[tuple[VariantView, int]]:
    """Repeats of the last point that a killed runner had not written yet: (a variant of it, repeat)."""
    repeats = view.scan.space.repeats
    if repeats is None or not view.newest or view.scan.recorded:
        return []
    return [(view.newest[0], repeat) for repeat in range(len(view.newest), repeats[1])]


def history(view: ScanView) -> list[Trial]:
    """The points so far as a sampler sees them; the objective of a repeated point is the mean over its repeats."""
    searched = view.scan.space.searched
    groups: dict[int, list[VariantView]] = {}
    for variant in view.variants.values():
        groups.setdefault(variant.point, []).append(variant)
    return [_trial(view, groups[point], searched) for point in sorted(groups)]


def _trial(view: ScanView, group: list[VariantView], searched: Iterable[str]) -> Trial:
    params = {name: group[0].params[name] for name in searched}
    attrs = group[0].attrs
    if any(variant.state not in END_STATES or view.wants_job(variant) for variant in group):
        return Trial(params, attrs, "running")
    values = [view.value(variant) for variant in group if variant.state == "done"]
    known = [value for value in values if value is not None]
    if not known:
        return Trial(params, attrs, "failed")
    return Trial(params, attrs, "done", sum(known) / len(known))


def given(view: ScanView, path: Path) -> list[dict[str, Any]]:
    """The variants of a scan whose points were given, as far as they are not there yet."""
    if len(view.variants) >= view.scan.recorded:
        return []
    return [point for point in points_file.read(path) if point["variant"] not in view.variants]


def complete(view: ScanView) -> bool:
    """Whether nothing is left to be done: all points proposed, every variant ended, nothing to try again."""
    if view.active or next(view.waiting(), None) is not None:
        return False
    if view.stopped:
        return True
    if view.scan.recorded:
        return len(view.variants) >= view.scan.recorded
    return view.points >= view.trials() and not missing_repeats(view)
