"""The GPU partitions of a Slurm cluster, by one call of sinfo."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.job import bounded
from jupyter_gridgpu.model.queue import OFFLINE, ONLINE, GpuKind, Queue, QueueLimits
from jupyter_gridgpu.queues import gpus

BACKEND = "slurm"
OUTPUT_LIMIT = 8_000_000
PLACES = ("/etc/slurm/slurm.conf", "/etc/slurm-llnl/slurm.conf", "/run/slurm/conf/slurm.conf")
UNCONFIGURED_S = 2.0
FIELDS = (
    "Partition",
    "Available",
    "Time",
    "CPUs",
    "Memory",
    "Gres",
    "GresUsed",
    "StateCompact",
    "Nodes",
)
SERVING = (
    "idle",
    "mix",
    "alloc",
    "comp",
)  # states of nodes that jobs start on, now or when they are free again
_GRES = re.compile(r"gpu(?::([A-Za-z][\w.+-]*))?:(\d{1,5})(?:\([^)]*\))?(?:,|$)")


@dataclass(frozen=True)
class _Nodes:
    """Nodes that are alike, as sinfo groups them."""

    partition: str
    default: bool
    up: bool
    time: str
    cpus: int
    memory_mb: int
    gres: dict[str, int]
    used: dict[str, int]
    serving: bool
    nodes: int


def configured() -> bool:
    """Whether a configuration is where Slurm's commands look for it; without one they ask around for a minute."""
    return bool(os.environ.get("SLURM_CONF")) or any(Path(place).exists() for place in PLACES)


def discover(timeout_s: float) -> list[Queue]:
    """Return the partitions with GPUs; none where Slurm is not set up. Raises EngineError if it does not answer."""
    if shutil.which("sinfo") is None:
        return []
    words = ["sinfo", "--noheader", "--Format", ",".join(f"{name}:|" for name in FIELDS)]
    try:
        return parse(_ran(words, timeout_s if configured() else min(timeout_s, UNCONFIGURED_S)))
    except BackendError:
        if configured():
            raise
        return []


def _ran(words: list[str], patience_s: float) -> str:
    try:
        ran = subprocess.run(
            words, capture_output=True, text=True, timeout=patience_s, errors="replace"
        )
    except subprocess.TimeoutExpired:
        raise BackendError(
            f"Slurm did not say within {patience_s:.0f} s which partitions it has."
        ) from None
    except OSError as error:
        raise BackendError(f"{words[0]} cannot be started: {error.strerror}.") from None
    if ran.returncode:
        raise BackendError(f"Slurm does not say which partitions it has: {_reason(ran.stderr)}.")
    return ran.stdout[:OUTPUT_LIMIT]


def _reason(text: str) -> str:
    """The last line of what sinfo complained about."""
    lines = text.strip().splitlines() or ["no reason given"]
    return (
        (bounded(lines[-1], 160) or "").removeprefix("sinfo: ").removeprefix("error: ").rstrip(".")
    )


def parse(text: str) -> list[Queue]:
    """Return the partitions with GPUs in what sinfo printed; lines that are not as expected are left out."""
    groups: dict[str, list[_Nodes]] = {}
    for line in text.splitlines():
        if found := _nodes(line):
            groups.setdefault(found.partition, []).append(found)
    return [
        _queue(name, nodes) for name, nodes in groups.items() if any(node.gres for node in nodes)
    ]


def _nodes(line: str) -> _Nodes | None:
    cells = [cell.strip() for cell in line.split("|")]
    if len(cells) < len(FIELDS) or not all(cells[: len(FIELDS)]):
        return None
    partition, up, time, cpus, memory, gres, used, state, nodes = cells[: len(FIELDS)]
    default, partition = partition.endswith("*"), partition.removesuffix("*")
    if not re.fullmatch(r"[\w.@+-]{1,100}", partition):
        return None
    serving = state.rstrip("*~#!%$@^+-") in SERVING and not state.endswith(
        "*"
    )  # a star: the node does not answer
    return _Nodes(
        partition,
        default,
        up == "up",
        time,
        _whole(cpus),
        _whole(memory),
        _gres(gres),
        _gres(used),
        serving,
        max(_whole(nodes), 1),
    )


def _whole(text: str) -> int:
    """The number that a cell begins with; sinfo adds a + where the nodes differ."""
    found = re.match(r"\d{1,12}", text)
    return int(found[0]) if found else 0


def _gres(text: str) -> dict[str, int]:
    """Return GPUs by type of `gpu:a100:2(S:0-1),gpu:v100:1`."""
    counts: dict[str, int] = {}
    for kind, count in _GRES.findall(text):
        counts[kind] = counts.get(kind, 0) + int(count)
    return counts


def _queue(name: str, nodes: list[_Nodes]) -> Queue:
    there = [node for node in nodes if node.gres]
    kinds = dict.fromkeys(kind for node in there for kind in node.gres)
    made = tuple(_kind(kind, there) for kind in kinds)
    first = there[0]
    limits = QueueLimits(
        walltime_s=seconds(first.time),
        memory_mb=max(node.memory_mb for node in there) or None,
        cpus=max(node.cpus for node in there) or None,
        gpus=max((kind.count or 0 for kind in made), default=0) or None,
    )
    state = ONLINE if first.up and any(node.serving for node in there) else OFFLINE
    return Queue(
        name,
        BACKEND,
        "Slurm partition",
        made,
        limits,
        state=state,
        queue=name,
        source="Slurm",
        default=first.default,
    )


def _kind(kind: str, nodes: Iterable[_Nodes]) -> GpuKind:
    alike = [node for node in nodes if node.gres.get(kind)]
    free = sum(
        node.nodes * max(node.gres[kind] - node.used.get(kind, 0), 0)
        for node in alike
        if node.serving and node.up
    )
    return GpuKind(
        vendor=gpus.vendor(kind),
        model=gpus.shown(kind) if kind else None,
        vram_mb=gpus.memory_mb(kind),
        count=max(node.gres[kind] for node in alike),
        total=sum(node.nodes * node.gres[kind] for node in alike),
        free=free,
    )


def seconds(text: str) -> int | None:
    """Return the seconds of `7-00:00:00`, `10:00` or None of `infinite` and `UNLIMITED`."""
    found = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", text)
    if not found:
        return None
    days, hours, minutes, rest = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest
