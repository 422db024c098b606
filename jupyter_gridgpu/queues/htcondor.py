"""The GPU slots of an HTCondor pool as one queue, found by one query of HTCondor's collector."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.queue import OFFLINE, ONLINE, GpuKind, Queue, QueueLimits
from jupyter_gridgpu.queues import gpus, htcondor_process

BACKEND = "htcondor"
CONFIGURATION_FILES = (
    "/etc/condor/condor_config",
    "/usr/local/etc/condor_config",
    "~/.condor/condor_config",
    "~condor/condor_config",
)
MODEL_LIMIT = 60  # characters of a GPU's name
# An attribute that holds the ad of one GPU of a slot: GPUs_GPU_8932f937, GPUs_CUDA0.
DEVICE_ATTRIBUTE = re.compile(r"GPUs_(?:GPU_|CUDA|OCL|HIP)\w{1,64}")
# States of slots that start no job of ours.
CLOSED_STATES = ("Drained", "Owner")


@dataclass
class _KindCount:
    """GPUs of one kind, counted over the slots of a pool."""

    kind: GpuKind
    per_slot: int = 0  # the most that one slot has
    total: int = 0
    free: int | None = 0  # None: it is not known


def configured() -> bool:
    """Return whether this machine has a configuration that names a pool."""
    config = os.environ.get("CONDOR_CONFIG")
    # With ONLY_ENV, HTCondor reads no file: all settings are variables of the environment.
    if config == "ONLY_ENV":
        return "_CONDOR_COLLECTOR_HOST" in os.environ
    if config:
        return True
    return any(Path(os.path.expanduser(name)).exists() for name in CONFIGURATION_FILES)


def discover(timeout_s: float) -> list[Queue]:
    """Return the pool as one queue, if it has GPUs; nothing where no pool is known.

    Raises BackendError if HTCondor's collector does not answer within `timeout_s` seconds.
    """
    if not configured():
        return []
    answer = ask_pool("slots", timeout_s)
    return parse(answer["slots"], answer["pool"])


def ask_pool(verb: str, timeout_s: float) -> Any:
    """Return what a verb of htcondor_bindings.py returns, asked in a process of its own.

    Raises BackendError if there is no answer within `timeout_s` seconds.
    """
    return htcondor_process.ask("jupyter_gridgpu.queues.htcondor_bindings", verb, timeout_s)


def parse(ads: Iterable[Mapping[str, Any]], pool: str = "") -> list[Queue]:
    """Return a pool as one queue, made of the ads of its GPU slots.

    `pool` is the address of HTCondor's collector, or several with commas between them.
    """
    slots = [dict(ad) for ad in ads]
    counts: dict[GpuKind, _KindCount] = {}
    for slot in slots:
        _count_gpus(slot, counts)
    if not counts:
        return []
    host = pool_host(pool)
    runtimes = None
    if any(slot.get("HasSingularity") is True for slot in slots):
        runtimes = ("apptainer",)
    state = ONLINE
    if all(slot.get("State") in CLOSED_STATES for slot in slots):
        state = OFFLINE
    queue = Queue(
        name="htcondor",
        backend=BACKEND,
        title=f"HTCondor pool {host}".strip(),
        gpus=tuple(_counted_kind(count) for count in counts.values()),
        limits=QueueLimits(
            memory_mb=_largest(slots, "TotalSlotMemory"),
            cpus=_largest(slots, "TotalSlotCpus"),
            gpus=max(count.per_slot for count in counts.values()),
        ),
        runtimes=runtimes,
        state=state,
        source="HTCondor",
    )
    return [queue]


def pool_host(pool: str) -> str:
    """Return the first host in an address of HTCondor's collector, without its port.

    The address may have several hosts with commas between them.
    """
    return pool.partition(",")[0].partition(":")[0]


def _counted_kind(count: _KindCount) -> GpuKind:
    return replace(count.kind, count=count.per_slot or None, total=count.total, free=count.free)


def _count_gpus(slot: dict[str, Any], counts: dict[GpuKind, _KindCount]) -> None:
    """Add the GPUs of one slot to `counts`."""
    kinds = _gpu_kinds(slot)
    free = None
    # HTCondor says how many GPUs of a slot are free, but not which.
    if len(set(kinds)) == 1:
        free = _free_gpus(slot)
    for kind in dict.fromkeys(kinds):
        count = counts.setdefault(kind, _KindCount(kind))
        in_slot = kinds.count(kind)
        count.per_slot = max(count.per_slot, in_slot)
        count.total += in_slot
        if free is None or count.free is None:
            count.free = None
        else:
            count.free += free


def _gpu_kinds(slot: dict[str, Any]) -> list[GpuKind]:
    """Return the kind of each GPU of a slot."""
    gpu_count = _number(slot.get("TotalSlotGPUs")) or _number(slot.get("GPUs"))
    # Properties that all GPUs of a slot share are attributes of the slot: GPUs_DeviceName, and
    # CUDADeviceName in old pools. A GPU's own ad holds the others.
    prefix = "GPUs_"
    if "CUDADeviceName" in slot:
        prefix = "CUDA"
    common = {}
    devices = []
    for name, value in sorted(slot.items()):
        if name.startswith(prefix):
            common[name.removeprefix(prefix)] = value
        if DEVICE_ATTRIBUTE.fullmatch(name):
            devices.append(value)
    kinds = [_gpu_kind({**common, **device}) for device in devices[:gpu_count]]
    # Pools may be set up to say nothing of single GPUs.
    return kinds or [_gpu_kind(common)] * gpu_count


def _free_gpus(slot: dict[str, Any]) -> int:
    state = slot.get("State")
    if state in CLOSED_STATES:
        return 0
    # A static slot gives all its GPUs to one job. A partitionable slot is divided, and its
    # attribute GPUs says how many are left.
    if slot.get("SlotType") == "Static" and state != "Unclaimed":
        return 0
    return _number(slot.get("GPUs"))


def _gpu_kind(device: Mapping[str, Any]) -> GpuKind:
    """Return the kind of a GPU from its properties."""
    name = device.get("DeviceName")
    memory_mb = _number(device.get("GlobalMemoryMb"))
    if not isinstance(name, str) or not one_line(name):
        return GpuKind(vram_mb=memory_mb or None, cuda=_cuda_version(device))
    return GpuKind(
        vendor=gpus.vendor(name),
        model=one_line(gpus.short_name(name), MODEL_LIMIT),
        vram_mb=memory_mb or gpus.memory_mb(name),
        cuda=_cuda_version(device),
    )


def _cuda_version(device: Mapping[str, Any]) -> str | None:
    """Return the newest CUDA version that a GPU's driver knows, like 12.4."""
    newest = device.get("MaxSupportedVersion")
    if isinstance(newest, int) and 1000 <= newest < 100_000:
        return gpus.cuda_text(newest)
    # Older pools have the CUDA version under the name of the driver's version.
    driver = device.get("DriverVersion")
    if isinstance(driver, (int, float)) and 1 <= driver < 100:
        return str(driver)
    return None


def _number(value: Any) -> int:
    """Return a number of an ad; 0 for a value that is no number, is negative or is too large."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and 0 <= value < 10**9:
        return int(value)
    return 0


def _largest(slots: list[dict[str, Any]], name: str) -> int | None:
    """Return the largest value of an attribute, or None if no slot has one."""
    return max((_number(slot.get(name)) for slot in slots), default=0) or None
