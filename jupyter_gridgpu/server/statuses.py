"""The HTTP status of each kind of error. No other module maps errors to statuses."""

from __future__ import annotations

from jupyter_gridgpu.errors import (
    BackendError,
    ForeignScan,
    GridGpuError,
    ScanLocked,
    StorageError,
    UnknownJob,
    UnknownScan,
    UsageError,
)

# The first class that fits counts, so a subclass must stand before its base class.
STATUS: tuple[tuple[type[GridGpuError], int], ...] = (
    (UnknownScan, 404),
    (UnknownJob, 404),
    (ForeignScan, 403),
    (UsageError, 400),
    (ScanLocked, 409),
    (StorageError, 503),
    (BackendError, 502),
    (GridGpuError, 500),
)


def status_of(error: GridGpuError) -> int:
    """Return the HTTP status with which an error is answered."""
    return next(status for kind, status in STATUS if isinstance(error, kind))
