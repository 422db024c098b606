"""The fields of a declared queue: from the nodes of a YAML file, each with its line, to a Queue and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.queue import STATES, GpuKind, Queue, QueueLimits
from jupyter_gridgpu.model.units import parse_duration, parse_memory
from jupyter_gridgpu.queues import gpus

TEXT_LIMIT = 200
LIST_LIMIT = 64
QUEUES_LIMIT = 2000  # of one file
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/-]{0,99}")
_NULL = ("", "~", "null", "Null", "NULL")


class DeclarationError(Exception):
    """One field is wrong: in which line, and what to write."""

    def __init__(self, node: Any, text: str) -> None:
        super().__init__(text)
        self.line = node.start_mark.line + 1


def queues_of(root: Any) -> tuple[list[Queue], list[DeclarationError]]:
    """Return the sound queues of a file's root node, and what is wrong with the others."""
    found: list[Queue] = []
    slips: list[DeclarationError] = []
    try:
        nodes = _items(
            _fields(root, {"queues": lambda node: node}, "the file").get("queues", root),
            "queues",
            QUEUES_LIMIT,
        )
    except DeclarationError as slip:
        return [], [slip]
    for node in nodes:
        try:
            found.append(_queue(node))
        except DeclarationError as slip:
            slips.append(slip)
    return found, slips


def _queue(node: Any) -> Queue:
    values = _fields(node, _QUEUE, "a queue")
    for name in ("name", "backend"):
        if name not in values:
            raise DeclarationError(
                node, f"the queue has no {name}; write `{name}: {_EXAMPLES[name]}`"
            )
    containers, placement = values.pop("containers", {}), values.pop("placement", {})
    return Queue(**values, **containers, **placement)


def _fields(node: Any, known: dict[str, Callable[[Any], Any]], what: str) -> dict[str, Any]:
    """Return the values of a mapping by its fields; one that is empty counts as left out."""
    if not isinstance(node, yaml.MappingNode):
        raise DeclarationError(
            node, f"{what} is {_kind(node)}; write fields like `{next(iter(known))}: ...`"
        )
    values: dict[str, Any] = {}
    for key, value in node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else "?"
        if name not in known:
            raise DeclarationError(
                key, f"{what} has no field {name[:40]!r}; there are {', '.join(known)}"
            )
        if name in values:
            raise DeclarationError(key, f"{name} is given twice; keep one")
        if not (
            isinstance(value, yaml.ScalarNode) and value.value in _NULL and value.style is None
        ):
            values[name] = _named(name, known[name], value)
    return values


def _named(name: str, read: Callable[[Any], Any], node: Any) -> Any:
    try:
        return read(node)
    except UsageError as error:
        raise DeclarationError(node, f"{name}: {str(error).rstrip('.')}") from None


def _items(node: Any, what: str, limit: int = LIST_LIMIT) -> list[Any]:
    if not isinstance(node, yaml.SequenceNode):
        raise DeclarationError(node, f"{what} is {_kind(node)}; write a list, a '- ' before each")
    if len(node.value) > limit:
        raise DeclarationError(
            node, f"{what} has {len(node.value):,} entries; {limit:,} are the most"
        )
    return list(node.value)


def _kind(node: Any) -> str:
    kinds = {yaml.MappingNode: "a mapping", yaml.SequenceNode: "a list"}
    return kinds.get(type(node)) or f"the text {_shown(node)}"


def _shown(node: Any) -> str:
    return repr(str(node.value)[:40]) if isinstance(node, yaml.ScalarNode) else _kind(node)


def _text(node: Any) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise UsageError(f"it is {_kind(node)}; write one value")
    text = node.value.strip()
    if not text or len(text) > TEXT_LIMIT or not text.isprintable():
        raise UsageError(
            f"{_shown(node)} is no usable text; write up to {TEXT_LIMIT} printable characters on one line"
        )
    return str(text)


def _word(node: Any) -> str:
    """A word that goes to an engine: it must not look like an option there."""
    text = _text(node)
    if text.startswith("-"):
        raise UsageError(f"{_shown(node)} looks like an option; write a name")
    return text


def _name(node: Any) -> str:
    text = _text(node)
    if not NAME.fullmatch(text):
        raise UsageError(
            f"{_shown(node)} cannot name a queue; write letters, digits and any of . _ : @ / -"
        )
    return text


def _whole(least: int) -> Callable[[Any], int]:
    def read(node: Any) -> int:
        text = _text(node)
        if not re.fullmatch(r"[+-]?\d{1,9}", text) or int(text) < least:
            raise UsageError(
                f"{_shown(node)} is no whole number {'' if least < 0 else f'from {least} up'}".strip()
            )
        return int(text)

    return read


def _flag(node: Any) -> bool:
    known = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    if _text(node).lower() not in known:
        raise UsageError(f"{_shown(node)} is neither true nor false")
    return known[_text(node).lower()]


def _state(node: Any) -> str:
    if _text(node) not in STATES:
        raise UsageError(f"{_shown(node)} is no state; write one of {', '.join(STATES)}")
    return _text(node)


def _version(node: Any) -> str:
    if gpus.version(_text(node)) is None:
        raise UsageError(f"{_shown(node)} is no version; write one like 12.4")
    return _text(node)


def _words(node: Any) -> tuple[str, ...]:
    """A list of words, or one word."""
    if isinstance(node, yaml.ScalarNode):
        return (_text(node),)
    return tuple(_text(item) for item in _items(node, "it"))


def _gpus(node: Any) -> tuple[GpuKind, ...]:
    return tuple(_gpu(item) for item in _items(node, "gpus"))


def _gpu(node: Any) -> GpuKind:
    values = _fields(node, _GPU, "a kind of GPU")
    model = values.get("model")
    made = {
        "vram_mb": values.pop("vram", None) or gpus.memory_mb(model),
        "vendor": values.pop("vendor", gpus.vendor(model)),
    }
    return GpuKind(**made, **values)


def _limits(node: Any) -> QueueLimits:
    values = _fields(node, _LIMITS, "limits")
    return QueueLimits(
        walltime_s=values.pop("walltime", None), memory_mb=values.pop("memory", None), **values
    )


_GPU: dict[str, Callable[[Any], Any]] = {
    "vendor": _text,
    "model": _text,
    "vram": lambda node: parse_memory(_text(node)),
    "cuda": _version,
    "count": _whole(1),
    "total": _whole(1),
}
_LIMITS: dict[str, Callable[[Any], Any]] = {
    "walltime": lambda node: parse_duration(_text(node)),
    "memory": lambda node: parse_memory(_text(node)),
    "cpus": _whole(1),
    "gpus": _whole(1),
}
_CONTAINERS: dict[str, Callable[[Any], Any]] = {"runtimes": _words, "images": _words}
_PLACEMENT: dict[str, Callable[[Any], Any]] = {
    "queue": _word,
    "account": _word,
    "qos": _word,
    "constraint": _word,
}
_QUEUE: dict[str, Callable[[Any], Any]] = {
    "name": _name,
    "backend": _name,
    "title": _text,
    "gpus": _gpus,
    "limits": _limits,
    "containers": lambda node: _fields(node, _CONTAINERS, "containers"),
    "placement": lambda node: _fields(node, _PLACEMENT, "placement"),
    "gpu_only": _flag,
    "state": _state,
    "rank": _whole(-(10**9)),
}
_EXAMPLES = {"name": "gpu-a100", "backend": "slurm"}


def declaration(queue: Queue) -> dict[str, Any]:
    """Return a queue as its file has it: what is not known is left out."""
    limits, places = vars(queue.limits), {name: getattr(queue, name) for name in _PLACEMENT}
    body: dict[str, Any] = {
        "name": queue.name,
        "backend": queue.backend,
        "title": queue.title or None,
    }
    body["gpus"] = [_declared_gpu(kind) for kind in queue.gpus] if queue.gpus else None
    body["limits"] = _kept(
        walltime=_time(limits["walltime_s"]),
        memory=_size(limits["memory_mb"]),
        cpus=limits["cpus"],
        gpus=limits["gpus"],
    )
    body["containers"] = _kept(runtimes=_list(queue.runtimes), images=_list(queue.images))
    body["placement"] = _kept(**places)
    return _kept(
        **body, gpu_only=queue.gpu_only or None, state=queue.state, rank=queue.rank or None
    )


def _declared_gpu(kind: GpuKind) -> dict[str, Any]:
    return _kept(
        vendor=kind.vendor,
        model=kind.model,
        vram=_size(kind.vram_mb),
        cuda=kind.cuda,
        count=kind.count,
        total=kind.total,
    )


def _kept(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None and value != {}}


def _list(words: tuple[str, ...] | None) -> list[str] | None:
    return None if words is None else list(words)


def _size(megabytes: int | None) -> str | None:
    if megabytes is None:
        return None
    return f"{megabytes}MB" if megabytes % 1024 else f"{megabytes // 1024}GB"


def _time(seconds: int | None) -> str | None:
    if seconds is None:
        return None
    return (
        f"{seconds}s"
        if seconds % 60
        else f"{seconds // 60}min"
        if seconds % 3600
        else f"{seconds // 3600}h"
    )
