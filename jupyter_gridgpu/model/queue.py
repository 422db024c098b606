"""Queues: places with GPUs that jobs can be sent to. None means that something is not known."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from jupyter_gridgpu.model.units import count_text, duration_text

ONLINE, OFFLINE, UNKNOWN = "online", "offline", "unknown"
STATES = (ONLINE, OFFLINE, UNKNOWN)
LOCAL = "local"  # the backend that is this machine
# A GPU that is sold as 16 GB shows 14.8 to 16.0 GB to its jobs, and a user who asks for 16 GB means
# such a GPU. So a GPU fits if it shows this part of the memory that was asked for.
SHOWN_PART = 0.92


@dataclass(frozen=True)
class GpuKind:
    """GPUs of one kind in a queue."""

    vendor: str | None = None
    model: str | None = None
    vram_mb: int | None = None  # memory of one GPU, as it shows it to jobs
    cuda: str | None = None  # version of CUDA that the driver knows
    count: int | None = None  # how many a node has
    total: int | None = None  # how many the queue has
    free: int | None = None  # how many of the queue's are free


@dataclass(frozen=True)
class QueueLimits:
    """The most that one job gets."""

    walltime_s: int | None = None
    memory_mb: int | None = None
    cpus: int | None = None
    gpus: int | None = None


@dataclass(frozen=True)
class Queue:
    """A place that jobs can be sent to.

    `queue`, `account`, `qos` and `constraint` are words of the batch system; a scan that is sent to
    this queue gets them as its `Placement`.
    """

    name: str
    backend: str
    title: str = ""
    gpus: tuple[GpuKind, ...] | None = None  # (): it has none
    limits: QueueLimits = QueueLimits()
    runtimes: tuple[str, ...] | None = None  # container runtimes; (): it has none
    # Where images may come from: "any", "/cvmfs", or patterns. Others are refused.
    images: tuple[str, ...] | None = None
    gpu_only: bool = False  # takes only tasks that ask for a GPU
    state: str = UNKNOWN
    queue: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    rank: int = 0  # of two queues that fit, the one with the higher rank is chosen
    default: bool = False  # whether the batch system sends jobs here that name no queue
    source: str = ""  # where the description comes from: a file, or the batch system

    @property
    def has_gpus(self) -> bool:
        """Whether the queue may have GPUs; what is not known counts as yes."""
        return self.gpus is None or len(self.gpus) > 0

    def count(self, what: str) -> int | None:
        """Return how many GPUs there are of all kinds; `what` is "total" or "free".

        Returns None where the number is not known of every kind, or where there is no kind.
        """
        if not self.gpus:
            return None
        count = 0
        for kind in self.gpus:
            number: int | None = getattr(kind, what)
            if number is None:
                return None
            count += number
        return count


def enough_mb(asked: int) -> int:
    """Return the memory in MB that a GPU must show to count as one with `asked` MB."""
    return int(asked * SHOWN_PART)


def to_json(queue: Queue) -> dict[str, Any]:
    """Return the queue as `gridgpu queues --json` and the server give it."""
    texts = {"gpus_text": gpus_text(queue), "limits_text": limits_text(queue.limits)}
    return {**asdict(queue), "total": queue.count("total"), "free": queue.count("free"), **texts}


def memory_text(megabytes: int) -> str:
    """Return an amount of memory as `40 GB`, `1.5 GB` or `512 MB`."""
    if megabytes < 1024:
        return f"{megabytes} MB"
    size = megabytes / 1024
    if size >= 10 or abs(size - round(size)) < 0.05:
        return f"{size:.0f} GB"
    return f"{size:.1f} GB"


def kind_text(kind: GpuKind) -> str:
    """Return the name of a kind of GPU: `A100 40 GB`, `A100-SXM4-40GB`, `nvidia` or `GPU`."""
    name = kind.model or kind.vendor or "GPU"
    # Many models have their memory in the name.
    if kind.vram_mb is None or re.search(r"\dGB", name, re.IGNORECASE):
        return name
    return f"{name} {memory_text(kind.vram_mb)}"


def gpus_text(queue: Queue) -> str:
    """Return the GPUs of a queue: `8 x A100 40 GB, 4 x V100 16 GB`, or `?`, `some`, `none`."""
    if queue.gpus is None:
        return "?"
    texts = []
    for kind in queue.gpus:
        text = kind_text(kind)
        if kind.total:
            text = f"{kind.total} x {text}"
        elif text == "GPU":
            # Neither the number nor anything else is known of them.
            text = "some"
        texts.append(text)
    return ", ".join(dict.fromkeys(texts)) or "none"


def free_text(queue: Queue) -> str:
    """Return the free GPUs: `3/16`, `–/16` where that is not known, or `–`."""
    free, total = queue.count("free"), queue.count("total")
    if total is None:
        return "–"
    if free is None:
        return f"–/{total}"
    return f"{free}/{total}"


def limits_text(limits: QueueLimits) -> str:
    """Return the limits that are known: `48 h, 64 GB, 2 GPUs`."""
    texts = []
    if limits.walltime_s:
        texts.append(duration_text(limits.walltime_s))
    if limits.memory_mb:
        texts.append(memory_text(limits.memory_mb))
    if limits.cpus:
        texts.append(count_text(limits.cpus, "core"))
    if limits.gpus:
        texts.append(count_text(limits.gpus, "GPU"))
    return ", ".join(texts)
