"""Backends: our code for the places where jobs run, such as `local` or `slurm`.

A backend is found by its entry point, so that other packages can add theirs.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from jupyter_gridgpu.backends.base import Backend, Capabilities
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.scan import AUTO, ScanSpec
from jupyter_gridgpu.store.paths import ScanPaths

GROUP = "jupyter_gridgpu.backends"


def names() -> list[str]:
    """Return the names of the installed backends, sorted."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def load(scan: ScanSpec, paths: ScanPaths) -> Backend:
    """Return the backend of a scan. Raises UsageError if no backend has that name."""
    backend: Backend = _kind(scan.backend)(scan, paths)
    return backend


def capabilities(name: str) -> Capabilities:
    """Return what the backend of this name can do. Raises UsageError if no backend has it."""
    found: Capabilities = _kind(name).capabilities
    return found


def _kind(name: str) -> Any:
    """Return the class of a backend. Raises UsageError if no backend has that name."""
    # Only the module of this backend is imported: the others may need packages that are missing.
    for point in entry_points(group=GROUP, name=name):
        return point.load()
    raise UsageError(f"--on {name!r} is not known; choose one of {', '.join([*names(), AUTO])}.")
