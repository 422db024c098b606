"""Samplers: they choose which points of a space are tried.

Samplers are found by the entry points of the group `jupyter_gridgpu.samplers`, so that other
packages can add theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.model.space import Space
from jupyter_gridgpu.samplers.base import GivenPoints, Sampler

GROUP = "jupyter_gridgpu.samplers"


def names() -> list[str]:
    """Return the names of all samplers that are installed."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def load(name: str, space: Space, objectives: Sequence[Objective]) -> Sampler:
    """Return a sampler for a space.

    Raises UsageError if there is none of that name, or if the sampler cannot work with the space.
    """
    # Of two packages that offer the same name, the first one found counts.
    for point in entry_points(group=GROUP, name=name):
        sampler: Sampler = point.load()(space, tuple(objectives))
        return sampler
    raise UsageError(f"--sampler {name!r} is not known; choose one of {', '.join(names())}.")


def load_for(scan: ScanSpec) -> Sampler:
    """Return the sampler of a scan. Raises UsageError as `load` does.

    A scan whose points are given has a sampler that proposes nothing.
    """
    if scan.recorded:
        return GivenPoints()
    return load(scan.sampler, scan.space, scan.objectives)
