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


def single_gpus(timeout_s: float = 5.0) -> list[GpuKind]:
    """Return the kind of each GPU that jobs may use, in the order of their numbers."""
    return usable(_devices_by_nvml() or _devices_by_nvidia_smi(timeout_s))


def usable(devices: list[GpuKind]) -> list[GpuKind]:
    """Return the devices that CUDA_VISIBLE_DEVICES lets a job use; all of them where it is not set.

    `devices` are in the order of their numbers.
    """
    value = os.environ.get("CUDA_VISIBLE_DEVICES")
    if value is None:
        return devices
    named = named_devices(value)
    if all(name.isdigit() and int(name) < len(devices) for name in named):
        return [devices[int(name)] for name in named]
    # The variable has names such as GPU-8932f937 or MIG-.... Which devices they are is not known
    # here, only how many.
    return (devices + [GpuKind(free=1)] * len(named))[: len(named)]


def named_devices(value: str) -> list[str]:
    """Return the names of devices in a value of CUDA_VISIBLE_DEVICES: numbers, UUIDs or MIGs."""
    names = [name.strip() for name in value.split(",")]
    # CUDA reads "" and "-1" as 'no GPU'. Batch systems set them for a job without a GPU.
    return [name for name in names if name not in ("", "-1")]


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
            version = pynvml.nvmlSystemGetCudaDriverVersion_v2()
            cuda = gpus.cuda_text(version)
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
    """Return the device of a line like `Tesla T4, 15360`; None for a line of another form."""
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


def core_count() -> int:
    """Return how many processor cores this process may use."""
    # A batch system, a container or `taskset` may allow it fewer cores than the machine has.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
