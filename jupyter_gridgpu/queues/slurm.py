"""The partitions of a Slurm cluster that have GPUs, found by one call of sinfo."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.queue import OFFLINE, ONLINE, GpuKind, Queue, QueueLimits
from jupyter_gridgpu.queues import gpus

BACKEND = "slurm"
SINFO_OUTPUT_LIMIT = 8_000_000  # characters
COMPLAINT_LIMIT = 160  # characters
CONFIGURATION_FILES = (
    "/etc/slurm/slurm.conf",
    "/etc/slurm-llnl/slurm.conf",
    "/run/slurm/conf/slurm.conf",
)
UNCONFIGURED_TIMEOUT_S = 2.0
# The columns that sinfo is asked for, in the order in which _read_line unpacks them.
COLUMNS = (
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
# States of nodes on which jobs start: at once, or when other jobs on the node have ended.
SERVING_STATES = ("idle", "mix", "alloc", "comp")
# sinfo adds a sign to a state: * means that the node does not answer, ~ that it is powered off ...
_STATE_SIGNS = "*~#!%$@^+-"
_GPU_GRES = re.compile(r"gpu(?::([A-Za-z][\w.+-]*))?:(\d{1,5})(?:\([^)]*\))?(?:,|$)")


@dataclass(frozen=True)
class _NodeGroup:
    """Nodes of one partition that are alike, as sinfo groups them. Numbers are of one node."""

    partition: str
    is_default: bool  # the partition takes the jobs that name none
    is_up: bool  # the partition takes jobs
    time_limit: str
    cpus: int
    memory_mb: int
    gpus: dict[str, int]  # by gres type; "" is the type of GPUs without one
    used_gpus: dict[str, int]
    is_serving: bool  # the nodes are in one of SERVING_STATES
    node_count: int


def configured() -> bool:
    """Return whether Slurm's commands find a configuration on this machine."""
    if os.environ.get("SLURM_CONF"):
        return True
    return any(Path(name).exists() for name in CONFIGURATION_FILES)


def discover(timeout_s: float) -> list[Queue]:
    """Return the partitions with GPUs; none where Slurm is not set up.

    Raises BackendError if Slurm is set up and does not answer within `timeout_s` seconds.
    """
    if shutil.which("sinfo") is None:
        return []
    # Without a configuration, sinfo looks for one in the network for a minute. Few clusters offer a
    # configuration there, and those that do answer at once.
    if not configured():
        timeout_s = min(timeout_s, UNCONFIGURED_TIMEOUT_S)
    try:
        return parse(_sinfo_output(timeout_s))
    except BackendError:
        if configured():
            raise
        return []


def _sinfo_output(timeout_s: float) -> str:
    # `NAME:|` asks for a column in its full width, with a | at its end.
    columns = ",".join(f"{name}:|" for name in COLUMNS)
    try:
        ended = subprocess.run(
            ["sinfo", "--noheader", "--Format", columns],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            errors="replace",
        )
    except subprocess.TimeoutExpired:
        raise BackendError(
            f"Slurm did not say within {timeout_s:.0f} s which partitions it has."
        ) from None
    except OSError as error:
        raise BackendError(f"sinfo cannot be started: {error.strerror}.") from None
    if ended.returncode:
        complaint = _complaint(ended.stderr)
        raise BackendError(f"Slurm does not say which partitions it has: {complaint}.")
    return ended.stdout[:SINFO_OUTPUT_LIMIT]


def _complaint(stderr: str) -> str:
    """Return the last line of what sinfo complained about, as a part of a sentence."""
    lines = stderr.strip().splitlines() or ["no reason given"]
    line = one_line(lines[-1], COMPLAINT_LIMIT) or ""
    return line.removeprefix("sinfo: ").removeprefix("error: ").rstrip(".")


def parse(output: str) -> list[Queue]:
    """Return the partitions with GPUs in what sinfo printed.

    Lines that are not as expected are left out.
    """
    partitions: dict[str, list[_NodeGroup]] = {}
    for line in output.splitlines():
        group = _read_line(line)
        if group is not None:
            partitions.setdefault(group.partition, []).append(group)
    queues = []
    for name, groups in partitions.items():
        with_gpus = [group for group in groups if group.gpus]
        if with_gpus:
            queues.append(_queue(name, with_gpus))
    return queues


def _read_line(line: str) -> _NodeGroup | None:
    cells = [cell.strip() for cell in line.split("|")][: len(COLUMNS)]
    if len(cells) < len(COLUMNS) or not all(cells):
        return None
    partition, available, time_limit, cpus, memory, gres, used, state, nodes = cells
    name = partition.removesuffix("*")  # a star marks the default partition
    # The name becomes an option of sbatch, so a name with other characters is not taken over.
    if not re.fullmatch(r"[\w.@+-]{1,100}", name):
        return None
    # Nodes that do not answer keep their state, with a star after it.
    is_serving = not state.endswith("*") and state.rstrip(_STATE_SIGNS) in SERVING_STATES
    return _NodeGroup(
        partition=name,
        is_default=partition.endswith("*"),
        is_up=available == "up",
        time_limit=time_limit,
        cpus=_number(cpus),
        memory_mb=_number(memory),
        gpus=_gpus_by_type(gres),
        used_gpus=_gpus_by_type(used),
        is_serving=is_serving,
        node_count=max(_number(nodes), 1),
    )


def _number(text: str) -> int:
    """Return the number that a cell begins with, or 0."""
    # sinfo writes 64+ where the nodes of a group differ: 64 is the least.
    found = re.match(r"\d{1,12}", text)
    if found is None:
        return 0
    return int(found[0])


def _gpus_by_type(text: str) -> dict[str, int]:
    """Return {"a100": 2, "v100": 1} for `gpu:a100:2(S:0-1),gpu:v100:1`."""
    counts: dict[str, int] = {}
    # A type may stand there several times, once for each group of sockets.
    for gres_type, count in _GPU_GRES.findall(text):
        counts[gres_type] = counts.get(gres_type, 0) + int(count)
    return counts


def _queue(name: str, groups: Sequence[_NodeGroup]) -> Queue:
    """Return a partition as a queue. `groups` are its nodes with GPUs."""
    gres_types = dict.fromkeys(gres_type for group in groups for gres_type in group.gpus)
    kinds = tuple(_gpu_kind(gres_type, groups) for gres_type in gres_types)
    first = groups[0]
    # A 0 is a number that sinfo did not give, so it counts as not known.
    limits = QueueLimits(
        walltime_s=parse_time_limit(first.time_limit),
        memory_mb=max(group.memory_mb for group in groups) or None,
        cpus=max(group.cpus for group in groups) or None,
        gpus=max((kind.count or 0 for kind in kinds), default=0) or None,
    )
    state = OFFLINE
    if first.is_up and any(group.is_serving for group in groups):
        state = ONLINE
    return Queue(
        name=name,
        backend=BACKEND,
        title="Slurm partition",
        gpus=kinds,
        limits=limits,
        state=state,
        queue=name,
        default=first.is_default,
        source="Slurm",
    )


def _gpu_kind(gres_type: str, groups: Sequence[_NodeGroup]) -> GpuKind:
    counts: list[int] = []
    total = 0
    free = 0
    for group in groups:
        count = group.gpus.get(gres_type, 0)
        if count == 0:
            continue
        counts.append(count)
        total += group.node_count * count
        # The idle GPUs of a node that is down or drained do not count: nobody gets them. For a
        # group, sinfo prints the GPUs that are in use on one node.
        if group.is_serving and group.is_up:
            free += group.node_count * max(count - group.used_gpus.get(gres_type, 0), 0)
    model = None
    if gres_type:
        model = gpus.short_name(gres_type)
    return GpuKind(
        vendor=gpus.vendor(gres_type),
        model=model,
        vram_mb=gpus.memory_mb(gres_type),
        count=max(counts),
        total=total,
        free=free,
    )


def parse_time_limit(text: str) -> int | None:
    """Return the seconds of `7-00:00:00` or `10:00`, or None for `infinite` and `UNLIMITED`."""
    found = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", text)
    if found is None:
        return None
    days, hours, minutes, rest = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest
