"""A request for GPUs, as a user types it for `gridgpu queues --gpu` and as PanDA reads it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.resources import Resources
from jupyter_gridgpu.model.units import parse_memory
from jupyter_gridgpu.queues import gpus

TEXT_LIMIT = 200  # characters
EXAMPLE = "write it like 'vram>=40GB, model=A100, cuda>=12'"
_PART = re.compile(r"\s*([a-z]+)\s*(>=|==|=)\s*(.+?)\s*", re.IGNORECASE)


def parse(text: str) -> Resources:
    """Return the Resources of a request like `vram>=40GB`, `model=A100, cuda>=12` or just `A100`.

    Raises UsageError for a request that is not understood.
    """
    if len(text) > TEXT_LIMIT:
        raise UsageError(f"--gpu is longer than {TEXT_LIMIT} characters; {EXAMPLE}.")
    values: dict[str, Any] = {"gpus": 1}
    for part in text.split(","):
        if part.strip():
            name, value = _read_part(part.strip())
            values[name] = value
    return Resources(**values)


def _read_part(part: str) -> tuple[str, Any]:
    """Return a field of Resources and its value."""
    found = _PART.fullmatch(part)
    # A part without any sign is the name of a model: A100.
    if found is None and not re.search(r"[=<>]", part):
        return "gpu_model", part
    if found is None or found[1].lower() not in _FIELDS:
        raise UsageError(f"--gpu {part!r} is not understood; {EXAMPLE}.")
    name, read = _FIELDS[found[1].lower()]
    return name, read(found[3])


def _read_count(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,3}", text):
        raise UsageError(f"--gpu gpus={text} is no number of GPUs; {EXAMPLE}.")
    return int(text)


def _read_version(text: str) -> str:
    if gpus.version(text) is None:
        raise UsageError(f"--gpu cuda {text!r} is no version; {EXAMPLE}.")
    # PanDA compares versions with two numbers.
    if "." not in text:
        return f"{text}.0"
    return text


# The names that a request may use: the field of Resources, and the function that reads its value.
_FIELDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "vram": ("vram_mb", parse_memory),
    "model": ("gpu_model", str),
    "cuda": ("cuda", _read_version),
    "gpus": ("gpus", _read_count),
    "count": ("gpus", _read_count),
}


def architecture(wanted: Resources) -> str:
    """Return what a task of PanDA asks of its nodes, or "" if the job needs no GPU.

    An example is `#&nvidia:model=.*A100.*:vram>=40960:cuda>=12.0`, with the memory in MB.
    """
    if not wanted.gpus:
        return ""
    parts = [gpus.vendor(wanted.gpu_model) or "nvidia"]
    if wanted.gpu_model:
        # PanDA reads the model as a pattern, and `:` and `&` divide the parts. So every character
        # but letters and digits becomes a dot, which matches any character.
        model = re.sub(r"[^A-Za-z0-9]", ".", wanted.gpu_model)
        parts.append(f"model=.*{model}.*")
    if wanted.vram_mb:
        parts.append(f"vram>={wanted.vram_mb}")
    if wanted.cuda:
        parts.append(f"cuda>={wanted.cuda}")
    return "#&" + ":".join(parts)
