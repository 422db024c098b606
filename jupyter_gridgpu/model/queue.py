"""Queues: places with GPUs that jobs can be sent to. None means that it is not known."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from jupyter_gridgpu.model.units import duration

ONLINE, OFFLINE, UNKNOWN = "online", "offline", "unknown"
STATES = (ONLINE, OFFLINE, UNKNOWN)
HERE = "local"  # the backend that is this machine
# A GPU sold as 16 GB shows its jobs 14.8 to 16.0: who asks for 16 GB means it.
SOLD_AS = 0.92


@dataclass(frozen=True)
class GpuKind:
    """GPUs of one kind; `count` is how many of them a node has, `total` the queue, `free` how many of these are free."""

    vendor: str | None = None
    model: str | None = None
    vram_mb: int | None = None
    cuda: str | None = None
    count: int | None = None
    total: int | None = None
    free: int | None = None


@dataclass(frozen=True)
class QueueLimits:
    """The most that one job gets."""

    walltime_s: int | None = None
    memory_mb: int | None = None
    cpus: int | None = None
    gpus: int | None = None


@dataclass(frozen=True)
class Queue:
    """A place that jobs can be sent to: `queue`, account, qos and constraint are the engine's own words for it."""

    name: str
    backend: str
    title: str = ""
    gpus: tuple[GpuKind, ...] | None = None  # () = there are none
    limits: QueueLimits = QueueLimits()
    runtimes: tuple[str, ...] | None = None  # container runtimes; () = there are none
    images: tuple[str, ...] | None = (
        None  # where images may come from: "any", "/cvmfs", or patterns; the rest is refused
    )
    gpu_only: bool = False  # takes only tasks that ask for a GPU
    state: str = UNKNOWN
    queue: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    rank: int = 0  # the higher, the sooner chosen
    default: bool = False  # where the engine itself sends what names no queue
    source: str = ""  # who says so: a file, or the engine

    @property
    def has_gpus(self) -> bool:
        """Whether it may have GPUs; what is not known counts as yes."""
        return self.gpus is None or len(self.gpus) > 0

    def count(self, what: str) -> int | None:
        """How many GPUs there are in `total` or `free`; None where that is not known of all kinds."""
        numbers = [getattr(kind, what) for kind in self.gpus or ()]
        return sum(numbers) if numbers and None not in numbers else None


def enough_mb(asked: int) -> int:
    """Return what a GPU has to show at least to count as one with `asked` MB."""
    return int(asked * SOLD_AS)


def to_json(queue: Queue) -> dict[str, Any]:
    """Return the queue as `gridgpu queues --json` and the server give it."""
    words = {"gpus_text": gpus_text(queue), "limits_text": limits_text(queue.limits)}
    return {**asdict(queue), "total": queue.count("total"), "free": queue.count("free"), **words}


def gb(megabytes: int) -> str:
    """Return `40 GB`, `1.5 GB` or `512 MB`."""
    if megabytes < 1024:
        return f"{megabytes} MB"
    size = megabytes / 1024
    return f"{size:.0f} GB" if size >= 10 or abs(size - round(size)) < 0.05 else f"{size:.1f} GB"


def kind_text(kind: GpuKind) -> str:
    """Return `A100 40 GB`, `A100-SXM4-40GB`, `nvidia` or `GPU`."""
    name = kind.model or kind.vendor or "GPU"
    told = kind.vram_mb is None or re.search(r"\dGB", name, re.IGNORECASE)
    return name if told else f"{name} {gb(kind.vram_mb or 0)}"


def gpus_text(queue: Queue) -> str:
    """Return `8 x A100 40 GB, 4 x V100 16 GB`, where the numbers are known."""
    if queue.gpus is None:
        return "?"
    parts = [
        f"{kind.total} x {kind_text(kind)}" if kind.total else kind_text(kind)
        for kind in queue.gpus
    ]
    return ", ".join("some" if part == "GPU" else part for part in dict.fromkeys(parts)) or "none"


def free_text(queue: Queue) -> str:
    """Return `3/16`, `–/16` where it is not known how many are free, or `–`."""
    free, total = queue.count("free"), queue.count("total")
    return "–" if total is None else f"{'–' if free is None else free}/{total}"


def limits_text(limits: QueueLimits) -> str:
    """Return `48 h, 64 GB, 2 GPUs` of those that are known."""
    parts = [duration(limits.walltime_s)] if limits.walltime_s else []
    parts += [gb(limits.memory_mb)] if limits.memory_mb else []
    parts += [f"{limits.cpus} core{'s' if limits.cpus > 1 else ''}"] if limits.cpus else []
    parts += [f"{limits.gpus} GPU{'s' if limits.gpus > 1 else ''}"] if limits.gpus else []
    return ", ".join(parts)
