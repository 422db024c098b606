"""PanDA's queues, read from a dump of CRIC, the register of the grid's sites.

Sites fill in CRIC by hand, so any field may be missing or have a value of another type.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.queue import OFFLINE, ONLINE, GpuKind, Queue, QueueLimits
from jupyter_gridgpu.queues import gpus
from jupyter_gridgpu.queues.fields import NAME
from jupyter_gridgpu.store.access import why
from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.opener import open_users

BACKEND = "panda"
DUMP_LIMIT_BYTES = 64_000_000  # the whole grid's dump has about 10 MB
QUEUES_LIMIT = 20_000
LIST_LIMIT = 100  # entries of a list of tags
WORDS_LIMIT = 50  # words in one value
TEXT_LIMIT = 100  # characters of a word
KEY_LIMIT = 40  # characters of an entry's key in a message
# What CRIC calls a container runtime, and what we call it.
RUNTIMES = {
    "apptainer": "apptainer",
    "singularity": "apptainer",
    "podman": "podman",
    "docker": "docker",
}
# Values of `vendor` and `model` that are no names. A queue with `excl` is for GPU tasks alone.
NO_NAMES = ("excl", "any", "*")


def load(path: Path, everything: bool = False) -> tuple[list[Queue], list[str]]:
    """Return the queues with GPUs of a dump, and a sentence for each entry that is no queue.

    With `everything`, queues without GPUs are returned, too. Raises UsageError for a file that
    cannot be read or is no dump.
    """
    queues: list[Queue] = []
    problems: list[str] = []
    for number, (key, body) in enumerate(_entries(path), 1):
        name = _usable_name(key, body)
        if name is None:
            label = ""
            if key:
                label = f" ({one_line(key, KEY_LIMIT)})"
            problems.append(f"Entry {number}{label} is left out: it has no usable nickname.")
            continue
        queue = _queue(name, body)
        if everything or queue.has_gpus:
            queues.append(queue)
    return queues, problems


def _entries(path: Path) -> Iterable[tuple[str, Any]]:
    """Return the keys and bodies of a dump's entries. In a dump that is a list, keys are empty."""
    try:
        with open_users(path) as file:
            data = file.read(DUMP_LIMIT_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {why(error, path)}.") from None
    if len(data) > DUMP_LIMIT_BYTES:
        raise UsageError(
            f"{path} is larger than {DUMP_LIMIT_BYTES // 10**6} MB,"
            " more than the whole grid's queues take."
        )
    try:
        entries = parse_json(data)
    except ValueError:
        raise UsageError(f"{path} is no JSON: give a file as CRIC's queue page saves it.") from None
    if not isinstance(entries, (dict, list)) or not entries:
        raise UsageError(
            f"{path} has no queues: it should be a mapping of names to queues, or a list of them."
        )
    if len(entries) > QUEUES_LIMIT:
        raise UsageError(f"{path} has {len(entries):,} entries; {QUEUES_LIMIT:,} are the most.")
    if isinstance(entries, dict):
        return entries.items()
    return [("", body) for body in entries]


def _usable_name(key: str, body: Any) -> str | None:
    if not isinstance(body, dict):
        return None
    name = body.get("nickname") or body.get("name") or key
    # The name becomes an option and a line of YAML, so other characters are not taken over.
    if isinstance(name, str) and NAME.fullmatch(name):
        return name
    return None


def _queue(name: str, body: dict[str, Any]) -> Queue:
    title = _text(body.get("rc_site") or body.get("site")) or "PanDA queue"
    status = _text(body.get("status")).lower()
    activity = _text(body.get("state")).upper()
    state = ONLINE
    if status != "online" or activity not in ("", "ACTIVE"):
        state = OFFLINE
        # Users ask why a queue is offline: it may be in test, or broker-off.
        title += f" ({status or activity.lower() or 'no status'})"
    return Queue(
        name=name,
        backend=BACKEND,
        title=title,
        gpus=_gpu_kinds(body),
        limits=QueueLimits(
            walltime_s=_number(body.get("maxtime")),
            memory_mb=_number(body.get("maxrss")),
            cpus=_number(body.get("corecount")),
        ),
        runtimes=_runtimes(body),
        images=_images(body),
        gpu_only=_is_gpu_only(body),
        state=state,
        queue=name,
    )


def _list(body: dict[str, Any], name: str) -> list[Any]:
    """Return a list that stands in the queue itself or among its tags; [] if there is none."""
    found = body.get(name)
    tags = body.get("tags")
    if not found and isinstance(tags, dict):
        found = tags.get(name)
    if not isinstance(found, list):
        return []
    return found[:LIST_LIMIT]


def _gpu_tags(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the tags of a queue's architectures that are GPUs."""
    tags = _list(body, "architectures")
    return [tag for tag in tags if isinstance(tag, dict) and tag.get("type") == "gpu"]


def _gpu_kinds(body: dict[str, Any]) -> tuple[GpuKind, ...]:
    """Return the kinds of GPUs that a queue declares."""
    kinds: list[GpuKind] = []
    for tag in _gpu_tags(body):
        kinds += _kinds_of_tag(tag)
    # A queue may say only that it has GPUs. It gets one kind, of which nothing is known.
    if not kinds and _mentions_gpu(body):
        kinds = [GpuKind()]
    return tuple(dict.fromkeys(kinds))


def _mentions_gpu(body: dict[str, Any]) -> bool:
    return body.get("resource_type") == "gpu" or "gpu" in _words(body.get("catchall"))


def _kinds_of_tag(tag: dict[str, Any]) -> list[GpuKind]:
    """Return a kind of GPU for each model of a tag; one kind without a model if it names none."""
    vendors = _names(tag.get("vendor"))
    models: list[str | None] = list(_names(tag.get("model")))
    kinds = []
    for model in models or [None]:
        vendor = gpus.vendor(model)
        if vendors:
            vendor = vendors[0]
        short = None
        if model:
            short = gpus.short_name(model)
        cuda = None
        # GPUs of other vendors have no CUDA, so the version is that of something else.
        if vendor in (None, "nvidia"):
            cuda = _first_version(tag)
        vram_mb = _number(tag.get("vram")) or gpus.memory_mb(short)
        kinds.append(GpuKind(vendor, short, vram_mb, cuda))
    return kinds


def _names(value: Any) -> list[str]:
    return [word for word in _words(value) if word not in NO_NAMES]


def _first_version(tag: dict[str, Any]) -> str | None:
    versions = [word for word in _words(tag.get("version")) if gpus.version(word)]
    return next(iter(versions), None)


def _is_gpu_only(body: dict[str, Any]) -> bool:
    for tag in _gpu_tags(body):
        if "excl" in _words(tag.get("vendor")) or "excl" in _words(tag.get("model")):
            return True
    return False


def _runtimes(body: dict[str, Any]) -> tuple[str, ...] | None:
    """Return the container runtime of a queue, or None if it is not known."""
    # `apptainer:pilot` names the runtime and who starts it. A `;` stands between several runtimes.
    word = _text(body.get("container_type")).split(":")[0].split(";")[0].lower()
    if word not in RUNTIMES:
        return None
    return (RUNTIMES[word],)


def _images(body: dict[str, Any]) -> tuple[str, ...] | None:
    """Return where images may come from, or None if it is not known."""
    places: list[str] = []
    for tag in _list(body, "containers"):
        places += _words(tag)
    if not places:
        return None
    if "any" in places:
        return ("any",)
    return tuple(places)


def _text(value: Any) -> str:
    """Return a text as one bounded line; "" for what is no text."""
    return one_line(value, TEXT_LIMIT) or ""


def _words(value: Any) -> list[str]:
    """Return the words of a list, or of a text with commas; numbers become words, too."""
    parts = [value]
    if isinstance(value, list):
        parts = value
    elif isinstance(value, str):
        parts = value.split(",")
    words = [_word(part) for part in parts[:WORDS_LIMIT]]
    return [word for word in words if word]


def _word(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return _text(value).strip()


def _number(value: Any) -> int | None:
    """Return a positive number; None for 0, which means 'not set' in CRIC, and for no number."""
    if isinstance(value, str) and value.isdigit():
        value = int(value[:12])
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and 1 <= value < 10**9:
        return int(value)
    return None
