"""The GPU slots of an HTCondor pool, by one query of its collector."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.job import bounded
from jupyter_gridgpu.model.queue import OFFLINE, ONLINE, GpuKind, Queue, QueueLimits
from jupyter_gridgpu.queues import gpus

BACKEND = "htcondor"
PLACES = (
    "/etc/condor/condor_config",
    "/usr/local/etc/condor_config",
    "~/.condor/condor_config",
    "~condor/condor_config",
)
OUTPUT_LIMIT = 256_000_000
DEVICE = re.compile(r"GPUs_(?:GPU_|CUDA|OCL|HIP)\w{1,64}")


@dataclass
class _Seen:
    """GPUs of one kind, counted over the slots."""

    kind: GpuKind
    count: int = 0
    total: int = 0
    free: int | None = 0


def configured() -> bool:
    """Whether this machine knows of a pool."""
    if os.environ.get("CONDOR_CONFIG"):
        return os.environ["CONDOR_CONFIG"] != "ONLY_ENV" or "_CONDOR_COLLECTOR_HOST" in os.environ
    return any(Path(os.path.expanduser(place)).exists() for place in PLACES)


def discover(timeout_s: float) -> list[Queue]:
    """Return the pool as one queue, if it has GPUs; none where no pool is known. Raises EngineError if it does not answer."""
    if not configured():
        return []
    answer = call("slots", timeout_s)
    return parse(answer["slots"], answer["pool"])


def call(verb: str, timeout_s: float) -> Any:
    """Ask a process of its own: the bindings hold up all of a process while they wait. Raises EngineError."""
    words = [sys.executable, "-m", "jupyter_gridgpu.queues.htcondor_bindings", verb]
    try:
        ran = subprocess.run(
            words, capture_output=True, timeout=timeout_s, stdin=subprocess.DEVNULL
        )
        answer = json.loads(ran.stdout[:OUTPUT_LIMIT])
    except subprocess.TimeoutExpired:
        raise BackendError(f"HTCondor did not answer within {timeout_s:.0f} s.") from None
    except (OSError, ValueError):
        raise BackendError("HTCondor gave no answer that can be read.") from None
    if "failed" in answer:
        raise BackendError(answer["failed"])
    return answer


def parse(ads: Iterable[Mapping[str, Any]], pool: str = "") -> list[Queue]:
    """Return the pool as one queue, made of the ads of its GPU slots."""
    seen: dict[GpuKind, _Seen] = {}
    slots = [dict(ad) for ad in ads]
    for slot in slots:
        _count(slot, seen)
    if not seen:
        return []
    made = tuple(
        GpuKind(
            **{**vars(one.kind), "count": one.count or None, "total": one.total, "free": one.free}
        )
        for one in seen.values()
    )
    most = max(one.count for one in seen.values())
    limits = QueueLimits(
        memory_mb=_most(slots, "TotalSlotMemory"), cpus=_most(slots, "TotalSlotCpus"), gpus=most
    )
    runtimes = ("apptainer",) if any(slot.get("HasSingularity") is True for slot in slots) else None
    state = OFFLINE if all(slot.get("State") in ("Drained", "Owner") for slot in slots) else ONLINE
    title = f"HTCondor pool {pool.split(',')[0].split(':')[0]}".strip()
    return [
        Queue("htcondor", BACKEND, title, made, limits, runtimes, state=state, source="HTCondor")
    ]


def _count(slot: dict[str, Any], seen: dict[GpuKind, _Seen]) -> None:
    devices = [device for name, device in sorted(slot.items()) if DEVICE.fullmatch(name)]
    total = _number(slot.get("TotalSlotGPUs")) or _number(slot.get("GPUs"))
    prefix = "CUDA" if "CUDADeviceName" in slot else "GPUs_"
    common = {
        name.removeprefix(prefix): value for name, value in slot.items() if name.startswith(prefix)
    }
    kinds = [_kind({**common, **device}) for device in devices][:total] or [_kind(common)] * total
    for kind in dict.fromkeys(kinds):
        one = seen.setdefault(kind, _Seen(kind))
        here = kinds.count(kind)
        one.count, one.total = max(one.count, here), one.total + here
        free = (
            _free(slot) if len(set(kinds)) == 1 else None
        )  # which of several kinds are free is not said
        one.free = None if free is None or one.free is None else one.free + free


def _free(slot: dict[str, Any]) -> int:
    """A partitionable slot counts the GPUs that are left, a static one has all or none."""
    if slot.get("SlotType") == "Static" and slot.get("State") != "Unclaimed":
        return 0
    return 0 if slot.get("State") in ("Drained", "Owner") else _number(slot.get("GPUs"))


def _kind(ad: Mapping[str, Any]) -> GpuKind:
    """The kind of one device: its own attributes, and those that all of a slot have in common."""
    name = ad.get("DeviceName")
    model = gpus.shown(name) if isinstance(name, str) and bounded(name) else None
    memory = _number(ad.get("GlobalMemoryMb")) or gpus.memory_mb(name if model else None)
    return GpuKind(
        gpus.vendor(name if model else None), bounded(model, 60), memory or None, _cuda(ad)
    )


def _cuda(ad: Mapping[str, Any]) -> str | None:
    """The CUDA version that the driver knows: 12040, or 12.4 in older pools."""
    newest = ad.get("MaxSupportedVersion")
    if isinstance(newest, int) and 1000 <= newest < 100_000:
        return f"{newest // 1000}.{newest % 1000 // 10}"
    driver = ad.get("DriverVersion")
    return str(driver) if isinstance(driver, (int, float)) and 1 <= driver < 100 else None


def _number(value: Any) -> int:
    return (
        int(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 10**9
        else 0
    )


def _most(slots: list[dict[str, Any]], name: str) -> int | None:
    return max((_number(slot.get(name)) for slot in slots), default=0) or None
