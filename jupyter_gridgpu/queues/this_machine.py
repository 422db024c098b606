"""This machine as a queue. Its GPUs are found through NVML, else through nvidia-smi."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import replace
from typing import Any

from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.queue import LOCAL, ONLINE, GpuKind, Queue, QueueLimits
from jupyter_gridgpu.queues import gpus

RUNTIMES = ("apptainer", "singularity", "podman")
MODEL_LIMIT = 60  # characters of a GPU's name
_LIST_GPUS = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]


def discover(timeout_s: float = 5.0) -> list[Queue]:
    """Return this machine as the only queue of the list. It is a queue without a GPU, too.

    nvidia-smi, if it is needed, is started twice and gets `timeout_s` seconds each time.
    """
    devices = usable(_devices_by_nvml() or _devices_by_nvidia_smi(timeout_s))
    limits = QueueLimits(memory_mb=_memory_mb(), cpus=_core_count(), gpus=len(devices) or None)
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


def usable(devices: list[GpuKind]) -> list[GpuKind]:
    """Return the devices that CUDA_VISIBLE_DEVICES lets a job use; all of them where it is not set.

    `devices` are in the order of their numbers.
    """
    value = os.environ.get("CUDA_VISIBLE_DEVICES")
    if value is None:
        return devices
    named = [word.strip() for word in value.split(",")]
    # Without a GPU for this job, batch systems set the variable to "" or "-1".
    named = [word for word in named if word not in ("", "-1")]
    if all(word.isdigit() and int(word) < len(devices) for word in named):
        return [devices[int(word)] for word in named]
    # The variable has names such as GPU-8932f937 or MIG-.... Which devices they are is not known
    # here, only how many.
    return (devices + [GpuKind(free=1)] * len(named))[: len(named)]


def counted(devices: list[GpuKind]) -> tuple[GpuKind, ...]:
    """Return the kinds of GPUs among single devices, with the number of each.

    A device has `free` 1 or 0, or None if it is not known. `free` of a kind is None if that of one
    of its devices is.
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


def _devices_by_nvml() -> list[GpuKind]:
    try:
        import pynvml

        pynvml.nvmlInit()
    # The package may be missing, or the driver's library, or the driver.
    except Exception:
        return []
    try:
        cuda = None
        with suppress(pynvml.NVMLError):
            version = pynvml.nvmlSystemGetCudaDriverVersion_v2()  # 12040 is 12.4
            cuda = f"{version // 1000}.{version % 1000 // 10}"
        return [_device(pynvml, index, cuda) for index in range(pynvml.nvmlDeviceGetCount())]
    # NVML fails in many ways where a driver is broken or is being updated; nvidia-smi may do.
    except Exception:
        return []


def _device(nvml: Any, index: int, cuda: str | None) -> GpuKind:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    name = nvml.nvmlDeviceGetName(handle)
    if isinstance(name, bytes):  # older versions of pynvml return bytes
        name = name.decode(errors="replace")
    free = None
    # Some drivers do not say which processes use a device; a container may not see them.
    with suppress(Exception):
        free = int(not nvml.nvmlDeviceGetComputeRunningProcesses(handle))
    memory_mb = nvml.nvmlDeviceGetMemoryInfo(handle).total // 2**20
    return GpuKind("nvidia", _model(name), memory_mb, cuda, free=free)


def _devices_by_nvidia_smi(timeout_s: float) -> list[GpuKind]:
    lines = _output(_LIST_GPUS, timeout_s).splitlines()
    if not lines:
        return []
    # No query of nvidia-smi has the CUDA version. Only the head of its table does.
    found = re.search(r"CUDA Version:\s*(\d+\.\d+)", _output(["nvidia-smi"], timeout_s))
    cuda = None
    if found is not None:
        cuda = found[1]
    devices = [_device_of_line(line, cuda) for line in lines]
    return [device for device in devices if device is not None]


def _output(command: list[str], timeout_s: float) -> str:
    """Return what a command prints, or "" if it cannot be started, fails or takes too long."""
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, check=True, errors="replace"
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _device_of_line(line: str, cuda: str | None) -> GpuKind | None:
    """Return the device of a line like `Tesla T4, 15360`; None if the line is none."""
    name, comma, memory = line.rpartition(",")
    if not comma:
        return None
    memory_mb = None
    if memory.strip().isdigit():  # it is [N/A] on some devices
        memory_mb = int(memory)
    return GpuKind("nvidia", _model(name), memory_mb, cuda)


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


def _core_count() -> int:
    # A batch system or a container may leave this process fewer cores than the machine has.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
