"""This machine as a queue. Its GPUs are found through NVML, else through nvidia-smi."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.queue import LOCAL, ONLINE, GpuKind, Queue, QueueLimits
from jupyter_gridgpu.queues import gpus
from jupyter_gridgpu.worker.gpu_devices import (
    VARIABLE,
    Device,
    find_devices,
    named_devices,
    nvml_devices,
)

RUNTIMES = ("apptainer", "singularity", "podman")
MODEL_LIMIT = 60  # characters of a GPU's name
_FIELDS = "name,memory.total,uuid,mig.mode.current"
_LIST_GPUS = ["nvidia-smi", f"--query-gpu={_FIELDS}", "--format=csv,noheader,nounits"]
# `GPU 0: NVIDIA A100 (UUID: GPU-...)`, and below it `  MIG 1g.5gb  Device 0: (UUID: MIG-...)`.
_LISTED = re.compile(r"^\s*(?:GPU \d+:|MIG (.*?) Device\s+\d+:).*\(UUID: ((GPU|MIG)-\S+)\)$", re.M)


def discover(timeout_s: float = 5.0) -> list[Queue]:
    """Return a list with this machine as the only queue, even if the machine has no GPU.

    nvidia-smi, if it is needed, is started twice and gets `timeout_s` seconds each time.
    """
    devices = single_gpus(timeout_s)
    limits = QueueLimits(memory_mb=_memory_mb(), cpus=core_count(), gpus=len(devices) or None)
    queue = Queue(
        name="here",
        backend=LOCAL,
        title="this machine",
        gpus=counted(devices),
        limits=limits,
        runtimes=tuple(program for program in RUNTIMES if shutil.which(program)),
        images=("any",),
        state=ONLINE,
        source="this machine",
    )
    return [queue]


@dataclass(frozen=True)
class _Found:
    """The GPUs of this machine in the order of the bus, and the kind of each and of its parts."""

    devices: list[Device]
    kinds: dict[Device, GpuKind]


def single_gpus(timeout_s: float = 5.0) -> list[GpuKind]:
    """Return the kind of each GPU that jobs may use, in the order of `job_devices`."""
    found = _find(timeout_s)
    value = os.environ.get(VARIABLE)
    if value is None:
        return [found.kinds[device] for device in _undivided(found.devices)]
    kinds = []
    for name in named_devices(value):
        # Which GPU has a number may depend on CUDA's order; what people see is that of the bus.
        meant = find_devices([name], found.devices, numbered=True)
        # Of a GPU that is not known, it is known that it is there.
        kinds.append(found.kinds[meant[0]] if meant else GpuKind(free=1))
    return kinds


def job_devices(timeout_s: float = 5.0) -> list[str]:
    """Return the GPUs that jobs may use, as CUDA_VISIBLE_DEVICES names them."""
    value = os.environ.get(VARIABLE)
    if value is not None:
        return named_devices(value)
    # A GPU is named by its number, and a part of one by its UUID.
    return [
        device.uuid if device.place else str(device.number)
        for device in _undivided(_find(timeout_s).devices)
    ]


def _find(timeout_s: float) -> _Found:
    by_nvml = _devices_by_nvml()
    return by_nvml if by_nvml.devices else _devices_by_nvidia_smi(timeout_s)


def _undivided(devices: Sequence[Device]) -> list[Device]:
    """Return what jobs can use: the GPUs, and in place of divided ones their parts."""
    found: list[Device] = []
    for device in devices:
        found += device.parts if device.divided else [device]
    return found


def counted(devices: list[GpuKind]) -> tuple[GpuKind, ...]:
    """Return the kinds of GPUs among single devices, with the number of each.

    `free` of a device is 1 or 0, or None if it is not known. If it is not known of one device,
    `free` of its kind is None as well.
    """
    by_kind: dict[GpuKind, list[GpuKind]] = {}
    for device in devices:
        by_kind.setdefault(replace(device, free=None), []).append(device)
    kinds = []
    for kind, same in by_kind.items():
        free = [device.free for device in same if device.free is not None]
        total_free = None
        if len(free) == len(same):
            total_free = sum(free)
        kinds.append(replace(kind, count=len(same), total=len(same), free=total_free))
    return tuple(kinds)


def _devices_by_nvml() -> _Found:
    try:
        import pynvml

        pynvml.nvmlInit()
        cuda = None
        with suppress(pynvml.NVMLError):
            version = pynvml.nvmlSystemGetCudaDriverVersion_v2()
            cuda = gpus.cuda_text(version)
        devices = nvml_devices(pynvml)
        every = [*devices, *_undivided(devices)]
        return _Found(devices, {device: _kind(pynvml, device, cuda) for device in every})
    # The package may be missing, or the driver's library, or the driver. NVML fails in many ways
    # where a driver is broken or is being updated; nvidia-smi may do.
    except Exception:
        return _Found([], {})


def _kind(nvml: Any, device: Device, cuda: str | None) -> GpuKind:
    free = memory_mb = None
    # Some drivers do not say which processes use a device; a container may not see them.
    with suppress(Exception):
        free = int(not nvml.nvmlDeviceGetComputeRunningProcesses(device.handle))
    with suppress(Exception):
        memory_mb = nvml.nvmlDeviceGetMemoryInfo(device.handle).total // 2**20
    return GpuKind("nvidia", _model(device.model), memory_mb, cuda, free=free)


def _devices_by_nvidia_smi(timeout_s: float) -> _Found:
    lines = _output(_LIST_GPUS, timeout_s).splitlines()
    cuda = None
    if lines:
        # No query of nvidia-smi has the CUDA version. Only the head of its table does.
        found = re.search(r"CUDA Version:\s*(\d+\.\d+)", _output(["nvidia-smi"], timeout_s))
        cuda = found[1] if found else None
    kinds: dict[Device, GpuKind] = {}
    for line in lines:
        name, *values = line.split(",")
        memory, uuid, mode = [*map(str.strip, values), "", "", ""][:3]
        if not values:  # a line of another form
            continue
        memory_mb = int(memory) if memory.isdigit() else None  # it is [N/A] on some devices
        kind = GpuKind("nvidia", _model(name), memory_mb, cuda)
        kinds[Device(len(kinds), uuid, name, divided=mode == "Enabled")] = kind
    devices = list(kinds)
    if any(device.divided for device in devices):
        devices = _with_parts(devices, _output(["nvidia-smi", "-L"], timeout_s), kinds)
    return _Found(devices, kinds)


def _with_parts(
    devices: Sequence[Device], listed: str, kinds: dict[Device, GpuKind]
) -> list[Device]:
    """Return GPUs with the parts that `nvidia-smi -L` lists below them; add their kinds."""
    parts: dict[str, list[tuple[str, str]]] = {}
    uuid = ""
    for name, found, kind in _LISTED.findall(listed):
        if kind == "GPU":
            uuid = found
        else:
            parts.setdefault(uuid, []).append((f"MIG {name.strip()}", found))
    whole = []
    for device in devices:
        below = tuple(
            Device(device.number, part, f"{device.model} {name}", place=f"MIG-{device.uuid}/?")
            for name, part in parts.get(device.uuid, ())
        )
        whole.append(replace(device, parts=below))
        kinds[whole[-1]] = kinds[device]
        for part in below:
            kinds[part] = GpuKind("nvidia", _model(part.model), None, kinds[device].cuda)
    return whole


def _output(command: list[str], timeout_s: float) -> str:
    """Return what a command prints, or "" if it cannot be started, fails or takes too long."""
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, check=True, errors="replace"
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _model(name: str) -> str | None:
    short = one_line(name, MODEL_LIMIT)
    if not short:
        return None
    return gpus.short_name(short)


def _memory_mb() -> int | None:
    with suppress(Exception):
        import psutil

        return int(psutil.virtual_memory().total // 2**20)
    return None


def core_count() -> int:
    """Return how many processor cores this process may use."""
    # A batch system, a container or `taskset` may allow it fewer cores than the machine has.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
