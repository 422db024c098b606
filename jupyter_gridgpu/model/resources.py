"""What one job asks for, in which container it runs, and to which queue it is sent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from jupyter_gridgpu.model.environment import is_line
from jupyter_gridgpu.model.fields import Fields

PLACE_LIMIT = 500  # characters of the longest name for a batch system
VERSION = re.compile(r"\d{1,3}(\.\d{1,3})?")
ANY_RUNTIME, NO_RUNTIME = "auto", "none"
RUNTIMES = (ANY_RUNTIME, "apptainer", "podman", NO_RUNTIME)


@dataclass(frozen=True)
class Resources:
    """What one job asks for.

    None leaves the choice to the batch system. `vram_mb` and `cuda` are the least that each GPU
    must have.
    """

    gpus: int = 0
    memory_mb: int | None = None
    walltime_s: int | None = None
    gpu_model: str | None = None  # a part of the model's name, in any case of letters: A100
    vram_mb: int | None = None
    cuda: str | None = None  # version of CUDA that the driver must know, for example 12.0
    cpus: int | None = None
    disk_mb: int | None = None
    grace_s: int | None = None  # how long saving may take when a job ends early


@dataclass(frozen=True)
class Container:
    """The container image that every job runs in."""

    image: str | None = None  # as the user wrote it; None: the Python of the node, in no container
    digest: str | None = None
    runtime: str = "auto"  # one of RUNTIMES
    binds: tuple[str, ...] = ()  # folders to be seen in it: SRC, SRC:DST or SRC:DST:ro


@dataclass(frozen=True)
class Placement:
    """Where in a batch system jobs go, in the words of that batch system."""

    queue: str | None = None  # a partition of Slurm; a site of PanDA, or several: A,B
    account: str | None = None  # an account of Slurm, an accounting group of HTCondor
    qos: str | None = None  # quality of service, as Slurm calls it
    constraint: str | None = None  # features of Slurm, requirements of HTCondor
    shared: bool = True  # whether nodes see the scan folder; else files travel with the jobs
    exclude: tuple[str, ...] = ()  # sites that PanDA leaves out
    inputs: tuple[str, ...] = ()  # datasets that every job of PanDA gets
    output: str | None = None  # the dataset that PanDA's jobs leave
    attempts: int | None = None  # PanDA's own tries of one job of ours
    options: tuple[str, ...] = ()  # options of the batch system itself, in its own words
    shared_paths: tuple[str, ...] = ()  # folders that nodes see, though not the scan's folder


def is_place_name(text: str) -> bool:
    """Return whether a text can be a name for a batch system.

    It becomes one argument of a command, where it must not look like an option.
    """
    return 0 < len(text) <= PLACE_LIMIT and text.isprintable() and text[0] not in "- "


def is_shared_path(text: str) -> bool:
    """Return whether a text is a whole path of a folder, other than the root."""
    whole = text.startswith("/") and text.strip("/") != ""
    return whole and text.isprintable() and len(text) <= PLACE_LIMIT and ".." not in text.split("/")


def resources_from(fields: Fields) -> Resources:
    """Return the resources of a scan.json. Raises DamagedRecord."""
    amounts: dict[str, Any] = {
        name: fields.maybe(name, fields.whole)
        for name in ("memory_mb", "walltime_s", "vram_mb", "cpus", "disk_mb", "grace_s")
    }
    return Resources(
        gpus=fields.whole("gpus"),
        gpu_model=_place(fields, "gpu_model"),
        cuda=fields.maybe("cuda", fields.text, form=VERSION.fullmatch, what="a version like 12.0"),
        **amounts,
    )


def container_from(fields: Fields) -> Container:
    """Return the container of a scan.json. Raises DamagedRecord."""
    return Container(
        image=fields.maybe("image", fields.text),
        digest=fields.maybe("digest", fields.text),
        runtime=fields.one_of("runtime", RUNTIMES, "auto"),
        binds=fields.texts("binds", ()),
    )


def placement_from(fields: Fields) -> Placement:
    """Return the placement of a scan.json. Raises DamagedRecord."""
    sites: dict[str, Any] = {
        name: fields.texts(name, (), form=is_place_name, what="a name")
        for name in ("exclude", "inputs")
    }
    return Placement(
        queue=_place(fields, "queue"),
        account=_place(fields, "account"),
        qos=_place(fields, "qos"),
        constraint=_place(fields, "constraint"),
        shared=fields.truth("shared", True),
        output=_place(fields, "output"),
        attempts=fields.maybe("attempts", fields.whole),
        options=fields.texts("options", (), form=is_line, what="an option"),
        shared_paths=fields.texts("shared_paths", (), form=is_shared_path, what="a folder"),
        **sites,
    )


def _place(fields: Fields, name: str) -> str | None:
    return fields.maybe(name, fields.text, form=is_place_name, what="a name for a batch system")
