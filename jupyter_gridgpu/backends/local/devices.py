"""The GPUs of this machine, and which job has which GPUs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.queue import GpuKind
from jupyter_gridgpu.model.resources import Resources
from jupyter_gridgpu.queues.objections import against_gpu
from jupyter_gridgpu.queues.this_machine import job_devices, single_gpus
from jupyter_gridgpu.worker.gpu_devices import BUS_ORDER, ORDER_VARIABLE, VARIABLE

SMI_TIMEOUT_S = 10


def visible_gpus() -> list[str]:
    """Return the GPUs that a job may use, as CUDA_VISIBLE_DEVICES names them."""
    return job_devices(SMI_TIMEOUT_S)


def counting_order() -> dict[str, str]:
    """Return the variable with which CUDA counts GPUs as `visible_gpus` does.

    It is empty where the user has named the GPUs, or the order.
    """
    if VARIABLE in os.environ or ORDER_VARIABLE in os.environ:
        return {}
    return {ORDER_VARIABLE: BUS_ORDER}


def fitting_gpus(wanted: Resources) -> list[str]:
    """Return those GPUs of `visible_gpus` that are of the kind that jobs want."""
    return [name for name, clauses in _against_each(wanted).items() if not clauses]


def check_gpu_kinds(wanted: Resources) -> None:
    """Raise BackendError if too few GPUs are of the kind that a job wants.

    A GPU of which nobody knows whether it is of that kind does not count.
    """
    against = _against_each(wanted)
    fitting = [name for name, clauses in against.items() if not clauses]
    if len(fitting) >= wanted.gpus:
        return
    found = "; ".join(dict.fromkeys(clause for clauses in against.values() for clause in clauses))
    raise BackendError(
        f"This machine has {len(fitting) or 'no'} GPUs that fit, {wanted.gpus} asked: {found}."
        " Ask for other GPUs, or leave --gpu-model, --vram and --cuda out."
    )


def _against_each(wanted: Resources) -> dict[str, list[str]]:
    """Return for each GPU of `visible_gpus` what speaks against it, as clauses."""
    names = visible_gpus()
    if not wanted.gpus or not (wanted.gpu_model or wanted.vram_mb or wanted.cuda):
        return {name: [] for name in names}
    kinds = single_gpus()
    # NVML may list fewer than CUDA_VISIBLE_DEVICES names: nothing is known of the others.
    kinds += [GpuKind()] * (len(names) - len(kinds))
    one = replace(wanted, gpus=1)
    return {
        name: [objection.clause for objection in against_gpu(kind, one)]
        for name, kind in zip(names, kinds, strict=False)
    }


class GpuPins:
    """Which GPUs each job has, from its hand-over until it is known to have ended."""

    def __init__(self) -> None:
        self._of_jobs: dict[str, list[str]] = {}

    def set(self, key: str, devices: Sequence[str]) -> None:
        """Note that a job has these GPUs."""
        self._of_jobs[key] = list(devices)

    def get(self, key: str) -> list[str]:
        """Return the GPUs of a job; none if the job has none or has ended."""
        return self._of_jobs.get(key, [])

    def release(self, key: str) -> list[str]:
        """Take the GPUs from a job and return them."""
        return self._of_jobs.pop(key, [])

    def least_used(self, devices: Sequence[str], count: int) -> list[str]:
        """Return those `count` of `devices` that the fewest jobs have."""
        job_counts = Counter(device for pinned in self._of_jobs.values() for device in pinned)
        return sorted(devices, key=lambda device: job_counts[device])[:count]
