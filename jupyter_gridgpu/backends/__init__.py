"""Backends: our code for the places where jobs run, such as `local` or `slurm`.

A backend is found by its entry point, so that other packages can add theirs.
"""

from __future__ import annotations

from importlib.metadata import entry_points

from jupyter_gridgpu.backends.base import Backend
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.scan import AUTO, ScanSpec
from jupyter_gridgpu.store.paths import ScanPaths

GROUP = "jupyter_gridgpu.backends"


def names() -> list[str]:
    """Return the names of the installed backends, sorted."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def load(scan: ScanSpec, paths: ScanPaths) -> Backend:
    """Return the backend of a scan. Raises UsageError if no backend has that name."""
    # Only the module of this backend is imported: the others may need packages that are missing.
    for point in entry_points(group=GROUP, name=scan.backend):
        backend: Backend = point.load()(scan, paths)
        return backend
    raise UsageError(
        f"--on {scan.backend!r} is not known; choose one of {', '.join([*names(), AUTO])}."
    )
