"""A request for GPUs, as it is typed for `gridgpu queues --gpu`, and as PanDA wants to read it."""

from __future__ import annotations

import re
from typing import Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.resources import Resources
from jupyter_gridgpu.model.units import parse_memory
from jupyter_gridgpu.queues import gpus

TEXT_LIMIT = 200
EXAMPLE = "write it like 'vram>=40GB, model=A100, cuda>=12'"
_PART = re.compile(r"\s*([a-z]+)\s*(>=|==|=)\s*(.+?)\s*", re.IGNORECASE)


def parse(text: str) -> Resources:
    """Return the Resources of `vram>=40GB`, `model=A100, cuda>=12`, `gpus=2` or just `A100`. Raises UsageError."""
    if len(text) > TEXT_LIMIT:
        raise UsageError(f"--gpu is longer than {TEXT_LIMIT} characters; {EXAMPLE}.")
    values: dict[str, Any] = {"gpus": 1}
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = _PART.fullmatch(part)
        if found is None and not re.search(r"[=<>]", part):
            values["gpu_model"] = part
        elif found is None or (found[1].lower() not in _READ):
            raise UsageError(f"--gpu {part!r} is not understood; {EXAMPLE}.")
        else:
            name, read = _READ[found[1].lower()]
            values[name] = read(found[3])
    return Resources(**values)


def _whole(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,3}", text):
        raise UsageError(f"--gpu gpus={text} is no number of GPUs; {EXAMPLE}.")
    return int(text)


def _version(text: str) -> str:
    if gpus.version(text) is None:
        raise UsageError(f"--gpu cuda {text!r} is no version; {EXAMPLE}.")
    return text if "." in text else f"{text}.0"


_READ: dict[str, tuple[str, Any]] = {
    "vram": ("vram_mb", parse_memory),
    "model": ("gpu_model", str),
    "cuda": ("cuda", _version),
    "gpus": ("gpus", _whole),
    "count": ("gpus", _whole),
}


def architecture(wanted: Resources) -> str:
    """Return what PanDA's task wants of its nodes: `#&nvidia:model=.*A100.*:vram>=40960:cuda>=12.0`, or "" without GPUs.

    The parts are divided by `:` and `&`, and the model is a pattern: what else a model's name holds matches anything.
    """
    if not wanted.gpus:
        return ""
    model = re.sub(r"[^A-Za-z0-9]", ".", wanted.gpu_model or "")
    parts = [gpus.vendor(wanted.gpu_model) or "nvidia"]
    parts += [f"model=.*{model}.*"] if model else []
    parts += [f"vram>={wanted.vram_mb}"] if wanted.vram_mb else []
    parts += [f"cuda>={wanted.cuda}"] if wanted.cuda else []
    return "#&" + ":".join(parts)
