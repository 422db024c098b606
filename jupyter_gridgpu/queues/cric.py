"""PanDA's queues as CRIC dumps them: read with suspicion, made into declarations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.job import bounded
from jupyter_gridgpu.model.queue import OFFLINE, ONLINE, GpuKind, Queue, QueueLimits
from jupyter_gridgpu.queues import gpus
from jupyter_gridgpu.queues.fields import NAME

BACKEND = "panda"
BYTES = 64_000_000  # the whole grid's dump has about 10 MB
QUEUES_LIMIT = 20_000
RUNTIMES = {
    "apptainer": "apptainer",
    "singularity": "apptainer",
    "podman": "podman",
    "docker": "docker",
}


def load(path: Path, everything: bool = False) -> tuple[list[Queue], list[str]]:
    """Return the GPU queues (or all) of a dump, and a sentence for each entry that is no queue. Raises UsageError."""
    found: list[Queue] = []
    wrong: list[str] = []
    for number, (key, body) in enumerate(_entries(path), 1):
        name = body.get("nickname") or body.get("name") or key if isinstance(body, dict) else key
        if not isinstance(body, dict) or not isinstance(name, str) or not NAME.fullmatch(name):
            wrong.append(
                f"Entry {number}{f' ({bounded(key, 40)})' if key else ''} is left out: it has no usable nickname."
            )
            continue
        queue = _queue(name, body)
        if everything or queue.has_gpus:
            found.append(queue)
    return found, wrong


def _entries(path: Path) -> Iterator[tuple[str, Any]]:
    """The entries of a list, or of a mapping by name."""
    try:
        with open(path, "rb") as file:
            data = file.read(BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    if len(data) > BYTES:
        raise UsageError(
            f"{path} is larger than {BYTES // 10**6} MB, more than the whole grid's queues take."
        )
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise UsageError(f"{path} is no JSON: give a file as CRIC's queue page saves it.") from None
    if not isinstance(body, (dict, list)) or not body:
        raise UsageError(
            f"{path} has no queues: it should be a mapping of names to queues, or a list of them."
        )
    if len(body) > QUEUES_LIMIT:
        raise UsageError(f"{path} has {len(body):,} entries; {QUEUES_LIMIT:,} are the most.")
    yield from body.items() if isinstance(body, dict) else (("", entry) for entry in body)


def _queue(name: str, body: dict[str, Any]) -> Queue:
    status, state = _text(body.get("status")).lower(), _text(body.get("state")).upper()
    online = status == "online" and state in ("", "ACTIVE")
    said = "" if online else f" ({status or state.lower() or 'no status'})"
    kinds = _kinds(body)
    limits = QueueLimits(
        _number(body.get("maxtime")), _number(body.get("maxrss")), _number(body.get("corecount"))
    )
    return Queue(
        name, BACKEND, f"{_text(body.get('rc_site') or body.get('site')) or 'PanDA queue'}{said}", kinds, limits,
        runtimes=_runtimes(body), images=_images(body), gpu_only=_is_gpu_only(body),
        state=ONLINE if online else OFFLINE, queue=name,
    )  # fmt: skip


def _tags(body: dict[str, Any], name: str) -> list[Any]:
    """A list that stands in the queue, or among its tags."""
    tags = body.get("tags")
    found = body.get(name) or (tags.get(name) if isinstance(tags, dict) else None)
    return found[:100] if isinstance(found, list) else []


def _gpu_tags(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        tag
        for tag in _tags(body, "architectures")
        if isinstance(tag, dict) and tag.get("type") == "gpu"
    ]


def _kinds(body: dict[str, Any]) -> tuple[GpuKind, ...]:
    """The GPUs that a queue declares; one that only says that it has some gets a kind of which nothing is known."""
    kinds = [kind for tag in _gpu_tags(body) for kind in _tagged(tag)]
    if not kinds and (body.get("resource_type") == "gpu" or "gpu" in _words(body.get("catchall"))):
        kinds = [GpuKind()]
    return tuple(dict.fromkeys(kinds))


def _tagged(tag: dict[str, Any]) -> list[GpuKind]:
    vendors = [word for word in _words(tag.get("vendor")) if word not in ("excl", "any", "*")]
    models: list[str | None] = [
        word for word in _words(tag.get("model")) if word not in ("excl", "any", "*")
    ]
    version = next((word for word in _words(tag.get("version")) if gpus.version(word)), None)
    vendor = vendors[0] if vendors else None
    return [
        _kind(vendor or gpus.vendor(model), model, _number(tag.get("vram")), version)
        for model in models or [None]
    ]


def _kind(vendor: str | None, model: str | None, vram: int | None, version: str | None) -> GpuKind:
    shown = gpus.shown(model) if model else None
    return GpuKind(
        vendor,
        shown,
        vram or gpus.memory_mb(shown),
        version if vendor in (None, "nvidia") else None,
    )


def _is_gpu_only(body: dict[str, Any]) -> bool:
    return any(
        "excl" in [*_words(tag.get("vendor")), *_words(tag.get("model"))] for tag in _gpu_tags(body)
    )


def _runtimes(body: dict[str, Any]) -> tuple[str, ...] | None:
    """`apptainer:pilot` is a runtime and who starts it."""
    word = _text(body.get("container_type")).split(":")[0].split(";")[0].lower()
    return (RUNTIMES[word],) if word in RUNTIMES else None


def _images(body: dict[str, Any]) -> tuple[str, ...] | None:
    places = [place for tag in _tags(body, "containers") for place in _words(tag)]
    if places:
        return ("any",) if "any" in places else tuple(places)
    return None


def _text(value: Any) -> str:
    return bounded(value, 100) or "" if isinstance(value, str) else ""


def _words(value: Any) -> list[str]:
    """The words of a list, or of a text with commas."""
    parts = (
        value
        if isinstance(value, list)
        else value.split(",")
        if isinstance(value, str)
        else [value]
    )
    texts = [
        str(part) if isinstance(part, (int, float)) and not isinstance(part, bool) else _text(part)
        for part in parts[:50]
    ]
    return [text.strip() for text in texts if text.strip()]


def _number(value: Any) -> int | None:
    """A positive number; 0 and what is none count as not known."""
    if isinstance(value, str) and value.isdigit():
        value = int(value[:12])
    return (
        int(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 1 <= value < 10**9
        else None
    )
