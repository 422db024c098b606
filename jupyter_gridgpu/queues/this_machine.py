"""This machine as a queue: its GPUs through NVML, else through nvidia-smi."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import replace

from jupyter_gridgpu.model.job import bounded
from jupyter_gridgpu.model.queue import HERE, ONLINE, GpuKind, Queue, QueueLimits
from jupyter_gridgpu.queues import gpus

RUNTIMES = ("apptainer", "singularity", "podman")
_SMI = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]


def discover(timeout_s: float = 5.0) -> list[Queue]:
    """Return this machine as a queue; it is one also without a GPU."""
    devices = usable(_by_nvml() or _by_smi(timeout_s))
    found = tuple(name for name in RUNTIMES if shutil.which(name))
    limits = QueueLimits(memory_mb=_memory_mb(), cpus=_cores(), gpus=len(devices) or None)
    return [
        Queue(
            "here",
            HERE,
            "this machine",
            counted(devices),
            limits,
            found,
            ("any",),
            state=ONLINE,
            source="this machine",
        )
    ]


def usable(devices: list[GpuKind]) -> list[GpuKind]:
    """Return those that CUDA_VISIBLE_DEVICES lets a job use: as many as it names, which ones where it names numbers."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is None:
        return devices
    named = [word.strip() for word in given.split(",") if word.strip() not in ("", "-1")]
    if all(word.isdigit() and int(word) < len(devices) for word in named):
        return [devices[int(word)] for word in named]
    return (devices + [GpuKind(free=1)] * len(named))[: len(named)]


def counted(devices: list[GpuKind]) -> tuple[GpuKind, ...]:
    """Return the kinds of single devices, each `free` or not, with their numbers."""
    kinds: dict[GpuKind, list[GpuKind]] = {}
    for device in devices:
        kinds.setdefault(replace(device, free=None), []).append(device)
    return tuple(
        replace(
            kind, count=len(alike), total=len(alike), free=_sum([device.free for device in alike])
        )
        for kind, alike in kinds.items()
    )


def _sum(numbers: list[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None


def _by_nvml() -> list[GpuKind]:
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # no library, no driver
        return []
    try:
        cuda = None
        with suppress(pynvml.NVMLError):
            version = pynvml.nvmlSystemGetCudaDriverVersion_v2()
            cuda = f"{version // 1000}.{version % 1000 // 10}"
        return [_device(pynvml, index, cuda) for index in range(pynvml.nvmlDeviceGetCount())]
    except Exception:
        return []


def _device(pynvml: object, index: int, cuda: str | None) -> GpuKind:
    nvml = pynvml.__dict__
    handle = nvml["nvmlDeviceGetHandleByIndex"](index)
    name = nvml["nvmlDeviceGetName"](handle)
    name = name.decode(errors="replace") if isinstance(name, bytes) else name
    free = None
    with suppress(Exception):
        free = 0 if nvml["nvmlDeviceGetComputeRunningProcesses"](handle) else 1
    return GpuKind(
        "nvidia",
        _model(name),
        nvml["nvmlDeviceGetMemoryInfo"](handle).total // 2**20,
        cuda,
        free=free,
    )


def _by_smi(timeout_s: float) -> list[GpuKind]:
    lines = _smi(_SMI, timeout_s).splitlines()
    if not lines:
        return []
    told = re.search(r"CUDA Version:\s*(\d+\.\d+)", _smi(["nvidia-smi"], timeout_s))
    return [
        kind for line in lines if (kind := _smi_kind(line, told[1] if told else None)) is not None
    ]


def _smi(words: list[str], timeout_s: float) -> str:
    try:
        return subprocess.run(
            words, capture_output=True, text=True, timeout=timeout_s, check=True, errors="replace"
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _smi_kind(line: str, cuda: str | None) -> GpuKind | None:
    name, comma, memory = line.rpartition(",")
    if not comma:
        return None
    return GpuKind("nvidia", _model(name), int(memory) if memory.strip().isdigit() else None, cuda)


def _model(name: str) -> str | None:
    short = bounded(name, 60)
    return gpus.shown(short) if short else None


def _memory_mb() -> int | None:
    with suppress(Exception):
        import psutil

        return int(psutil.virtual_memory().total // 2**20)
    return None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
