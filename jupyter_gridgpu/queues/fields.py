"""The fields of a declared queue: how they are read from YAML, and how a queue is written.

docs/queues.md says what each field means.
"""

from __future__ import annotations

import re
from typing import Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.queue import STATES, GpuKind, Queue, QueueLimits
from jupyter_gridgpu.model.units import (
    exact_duration,
    exact_memory,
    parse_duration,
    parse_memory,
)
from jupyter_gridgpu.queues import gpus
from jupyter_gridgpu.queues.yaml_values import (
    DeclarationError,
    Reader,
    entries_of,
    need_fields,
    read_argument,
    read_fields,
    read_flag,
    read_items,
    read_text,
    read_texts,
    read_version,
    shown,
    whole_number,
)

QUEUES_LIMIT = 2000  # queues of one file
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/-]{0,99}")  # of a queue or a backend
# Examples of the fields that every queue must have, shown to a user who left one out.
_EXAMPLES = {"name": "gpu-a100", "backend": "slurm"}


def queues_of(root: Any) -> tuple[list[Queue], list[DeclarationError]]:
    """Return the queues in a file's root node that have no mistake, and all mistakes.

    A mistake in one queue does not hide the other queues.
    """
    try:
        nodes = entries_of(root, "queues", QUEUES_LIMIT)
    except DeclarationError as mistake:
        return [], [mistake]
    queues: list[Queue] = []
    mistakes: list[DeclarationError] = []
    for node in nodes:
        try:
            queues.append(_read_queue(node))
        except DeclarationError as mistake:
            mistakes.append(mistake)
    return queues, mistakes


def _read_queue(node: Any) -> Queue:
    values = read_fields(node, _QUEUE_READERS, "a queue")
    need_fields(node, values, _EXAMPLES, "the queue")
    # A file has these fields in groups, a Queue has them without groups.
    containers = values.pop("containers", {})
    placement = values.pop("placement", {})
    return Queue(**values, **containers, **placement)


def _read_name(node: Any) -> str:
    text = read_text(node)
    if not NAME.fullmatch(text):
        raise UsageError(
            f"{shown(node)} cannot name a queue; write letters, digits and any of . _ : @ / -"
        )
    return text


def _read_state(node: Any) -> str:
    text = read_text(node)
    if text not in STATES:
        raise UsageError(f"{shown(node)} is no state; write one of {', '.join(STATES)}")
    return text


def _read_memory(node: Any) -> int:
    return parse_memory(read_text(node))


def _read_duration(node: Any) -> int:
    return parse_duration(read_text(node))


def _read_gpus(node: Any) -> tuple[GpuKind, ...]:
    return tuple(_read_gpu(item) for item in read_items(node, "gpus"))


def _read_gpu(node: Any) -> GpuKind:
    values = read_fields(node, _GPU_READERS, "a kind of GPU")
    model = values.get("model")
    # What the file leaves out may follow from the model's name.
    vram_mb = values.pop("vram", None) or gpus.memory_mb(model)
    vendor = values.pop("vendor", gpus.vendor(model))
    return GpuKind(vram_mb=vram_mb, vendor=vendor, **values)


def _read_limits(node: Any) -> QueueLimits:
    values = read_fields(node, _LIMITS_READERS, "limits")
    walltime_s = values.pop("walltime", None)
    memory_mb = values.pop("memory", None)
    return QueueLimits(walltime_s=walltime_s, memory_mb=memory_mb, **values)


def _read_containers(node: Any) -> dict[str, Any]:
    return read_fields(node, _CONTAINERS_READERS, "containers")


def _read_placement(node: Any) -> dict[str, Any]:
    return read_fields(node, _PLACEMENT_READERS, "placement")


# The fields of each mapping in a file, in the order in which messages name them.
_GPU_READERS: dict[str, Reader] = {
    "vendor": read_text,
    "model": read_text,
    "vram": _read_memory,
    "cuda": read_version,
    "count": whole_number(1),
    "total": whole_number(1),
}
_LIMITS_READERS: dict[str, Reader] = {
    "walltime": _read_duration,
    "memory": _read_memory,
    "cpus": whole_number(1),
    "gpus": whole_number(1),
}
_CONTAINERS_READERS: dict[str, Reader] = {"runtimes": read_texts, "images": read_texts}
_PLACEMENT_READERS: dict[str, Reader] = {
    "queue": read_argument,
    "account": read_argument,
    "qos": read_argument,
    "constraint": read_argument,
}
_QUEUE_READERS: dict[str, Reader] = {
    "name": _read_name,
    "backend": _read_name,
    "title": read_text,
    "gpus": _read_gpus,
    "limits": _read_limits,
    "containers": _read_containers,
    "placement": _read_placement,
    "gpu_only": read_flag,
    "state": _read_state,
    "rank": whole_number(-(10**9)),
}


# What follows writes a queue.


def declaration(queue: Queue) -> dict[str, Any]:
    """Return a queue as its file has it. What is not known is left out."""
    body: dict[str, Any] = {
        "name": queue.name,
        "backend": queue.backend,
        "title": queue.title or None,
        "gpus": None if queue.gpus is None else [_gpu_body(kind) for kind in queue.gpus],
        "limits": _limits_body(queue.limits),
        "containers": _without_empty(
            runtimes=_list_or_none(queue.runtimes), images=_list_or_none(queue.images)
        ),
        "placement": _without_empty(**{name: getattr(queue, name) for name in _PLACEMENT_READERS}),
        "gpu_only": queue.gpu_only or None,
        "state": queue.state,
        "rank": queue.rank or None,
    }
    return _without_empty(**body)


def _gpu_body(kind: GpuKind) -> dict[str, Any]:
    return _without_empty(
        vendor=kind.vendor,
        model=kind.model,
        vram=exact_memory(kind.vram_mb),
        cuda=kind.cuda,
        count=kind.count,
        total=kind.total,
    )


def _limits_body(limits: QueueLimits) -> dict[str, Any]:
    return _without_empty(
        walltime=exact_duration(limits.walltime_s),
        memory=exact_memory(limits.memory_mb),
        cpus=limits.cpus,
        gpus=limits.gpus,
    )


def _without_empty(**values: Any) -> dict[str, Any]:
    # Only mappings are left out if they are empty: an empty list says that there is none.
    return {name: value for name, value in values.items() if value is not None and value != {}}


def _list_or_none(texts: tuple[str, ...] | None) -> list[str] | None:
    if texts is None:
        return None
    return list(texts)  # YAML has no tuples
