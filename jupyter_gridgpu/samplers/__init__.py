"""Samplers: which points of the space are tried. Found by entry point, so that others can add theirs."""

from __future__ import annotations

from importlib.metadata import entry_points

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.scan import Objective, ScanSpec
from jupyter_gridgpu.model.space import Space
from jupyter_gridgpu.samplers.base import Nothing, Sampler

GROUP = "jupyter_gridgpu.samplers"


def names() -> list[str]:
    return sorted({point.name for point in entry_points(group=GROUP)})


def load(name: str, space: Space, objective: Objective | None) -> Sampler:
    """Return a sampler for a space. Raises UsageError if there is none of that name or it does not fit the space."""
    for point in entry_points(group=GROUP, name=name):
        sampler: Sampler = point.load()(space, objective)
        return sampler
    raise UsageError(f"--sampler {name!r} is not known; choose one of {', '.join(names())}.")


def load_for(scan: ScanSpec) -> Sampler:
    """Return the sampler of a scan; of one whose points are given, one that proposes nothing."""
    return Nothing() if scan.recorded else load(scan.sampler, scan.space, scan.objective)
