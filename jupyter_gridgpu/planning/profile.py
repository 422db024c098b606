"""A profile: options of a scan under one name, as somebody who knows the site has chosen them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from jupyter_gridgpu.planning.declaration import Options

# Options of the notebook, of the search and of one scan. All others say where and how jobs run.
NOT_IN_A_PROFILE = (
    "maximize", "minimize", "trials", "points", "warm_start", "sampler", "seed", "on", "inputs",
    "out", "files", "kernel", "name", "new", "expose_secrets",
)  # fmt: skip


@dataclass(frozen=True)
class Profile:
    """A profile as its file has it. `options` are values of `Options` by the names there."""

    name: str  # what --on takes
    backend: str
    title: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    collector: str | None = None  # the address of the collector that jobs there reach
    source: str = ""  # its file


@dataclass(frozen=True)
class ExpandedOptions(Options):
    """Options that have those of a profile in them."""

    profile: str = ""  # its name
    collector: str | None = None


def profile_of(options: Options) -> str:
    """Return the name of the profile whose options these have in them; empty for none."""
    return options.profile if isinstance(options, ExpandedOptions) else ""


def option_names() -> list[str]:
    """Return the names of the options that a profile may have."""
    return [one.name for one in fields(Options) if one.name not in NOT_IN_A_PROFILE]
