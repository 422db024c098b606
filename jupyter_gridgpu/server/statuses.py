"""What went wrong, as HTTP says it: the one table from our errors to statuses."""

from __future__ import annotations

from jupyter_gridgpu.errors import (
    BackendError,
    GridGpuError,
    ScanLocked,
    StorageError,
    UnknownJob,
    UnknownScan,
    UsageError,
)

STATUS: tuple[tuple[type[GridGpuError], int], ...] = (  # the first that fits
    (UnknownScan, 404),
    (UnknownJob, 404),
    (UsageError, 400),
    (ScanLocked, 409),
    (StorageError, 503),
    (BackendError, 502),
    (GridGpuError, 500),
)


def status_of(error: GridGpuError) -> int:
    return next(status for kind, status in STATUS if isinstance(error, kind))
