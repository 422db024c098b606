"""The GPUs of the stand-in's sites, and what tasks want of a GPU."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass
class Gpu:
    """The GPU of a site's workers, as their pilots tell it."""

    vendor: str = "nvidia"
    model: str = "NVIDIA H100"
    vram: int = 81920  # MB
    cuda: float | None = None  # the version

    def fits(self, wanted: dict[str, str]) -> bool:
        """Return whether this is a GPU that a task wants, see `wanted_gpu`."""
        if wanted.get("vendor") != self.vendor:
            return False
        if "cuda" in wanted and self.cuda is None:
            return False
        model = wanted.get("model", "")
        if model != "*" and not re.match(model, self.model, re.IGNORECASE):
            return False
        return self.vram >= int(wanted.get("vram", "0").lstrip(">="))


def wanted_gpu(text: str) -> dict[str, str] | None:
    """Return what an architecture string wants of a GPU, or None where it wants none.

    `#&nvidia:vram>=40960:model=.*A100.*` wants a vendor, an amount of memory and a model.
    """
    found = re.search(r"&([A-Za-z]+)(?:-([^:]+))?(.*)", text)
    if found is None:
        return None
    parts = dict(re.findall(r":(\w+)(>?=.*?)(?=:|$)", found[3]))
    # The "=" before the model stays in the text that was found.
    model = parts.pop("model", "")[1:] or found[2] or ""
    wanted = {"vendor": found[1], **parts}
    if model:
        wanted["model"] = model
    return wanted
