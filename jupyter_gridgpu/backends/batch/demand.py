"""How much one task of a batch system needs, where it runs several jobs."""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_gridgpu.model.scan import ScanSpec


@dataclass(frozen=True)
class Demand:
    """What one task needs at a time; None for what the user did not name.

    GPUs are not multiplied: jobs that run side by side share them.
    """

    cpus: int | None
    memory_mb: int | None
    disk_mb: int | None
    gpus: int
    walltime_s: int | None


def task_demand(scan: ScanSpec) -> Demand:
    """Return what one task needs: its jobs run `per_gpu` side by side, `per_job` times in turn."""
    wanted = scan.resources
    return Demand(
        cpus=_times(wanted.cpus, scan.per_gpu),
        memory_mb=_times(wanted.memory_mb, scan.per_gpu),
        disk_mb=_times(wanted.disk_mb, scan.per_gpu),
        gpus=wanted.gpus,
        walltime_s=_times(wanted.walltime_s, scan.per_job),
    )


def _times(amount: int | None, factor: int) -> int | None:
    if amount is None:
        return None
    return amount * factor
