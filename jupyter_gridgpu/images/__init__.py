"""Container images: what `--image` names, and the script that runs jobs in it on whatever node they come to."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from jupyter_gridgpu.errors import BackendError, UsageError
from jupyter_gridgpu.images.apptainer import Apptainer
from jupyter_gridgpu.images.base import ARCHIVE, REMOTE, WORDS, Image, ImageRuntime
from jupyter_gridgpu.images.identity import digest
from jupyter_gridgpu.images.launcher import script
from jupyter_gridgpu.images.no_container import NoContainer
from jupyter_gridgpu.images.podman import Podman
from jupyter_gridgpu.images.reference import parse, parse_bind
from jupyter_gridgpu.model.resources import Container
from jupyter_gridgpu.model.scan import DROP, PUSH, ScanSpec
from jupyter_gridgpu.transport.key_files import sender_file

__all__ = [
    "ARCHIVE",
    "contained",
    "digest",
    "launcher",
    "parse",
    "parse_bind",
    "require",
    "resolve",
    "runtimes",
]

BROUGHT = ("panda",)  # engines that start jobs in the image themselves
RUNTIMES: tuple[ImageRuntime, ...] = (Apptainer(), Podman())  # the first that a node has is taken


def runtimes(image: Image, runtime: str = "auto") -> list[ImageRuntime]:
    """Return the runtimes that may run an image, the preferred first. Raises UsageError if there is none."""
    asked = [one for one in RUNTIMES if runtime in ("auto", one.name)]
    found = [one for one in asked if image.kind in one.kinds]
    if not found:
        able = " or ".join(one.name for one in RUNTIMES if image.kind in one.kinds)
        raise UsageError(
            f"--runtime {runtime}: it does not run {WORDS[image.kind]}, which {image.ref} is; {able} does."
        )
    return found


def contained(container: Container) -> bool:
    """Whether jobs run in a container of ours; with the runtime none, the node is the image."""
    return container.image is not None and container.runtime != "none"


def resolve(container: Container, here: bool, exact: bool = True) -> Container:
    """Return a container with the whole path of its image and, if `exact`, its digest. Raises UsageError for what is wrong.

    `here` says that jobs run on this machine, so that what it does not see is not there.
    """
    if not contained(container):
        return container
    image = parse(container.image or "")
    if here and not image.seen:
        raise UsageError(
            f"--image {image.ref}: there is no such file or folder on this machine, where the jobs would run."
        )
    runtimes(image, container.runtime)
    for text in container.binds:
        bind = parse_bind(text)
        if here and not Path(bind.source).exists():
            raise UsageError(
                f"--bind {text}: there is no {bind.source} on this machine, where the jobs would run."
            )
    whole = (
        image.ref if image.kind in REMOTE else str(image.path)
    )  # the runner is in another folder
    return replace(container, image=whole, digest=digest(image) if exact else container.digest)


def require(container: Container) -> None:
    """Raise EngineError if nothing on this machine runs a container's image, or UsageError if it is not here."""
    resolve(container, here=True, exact=False)
    image = parse(container.image or "")
    programs = [
        program for runtime in runtimes(image, container.runtime) for program in runtime.programs
    ]
    if not any(shutil.which(program) for program in programs):
        raise BackendError(
            f"This machine has no {' or '.join(programs)} to run {image.ref} ({WORDS[image.kind]}): install one,"
            " or send the jobs elsewhere with --on."
        )


def launcher(scan: ScanSpec) -> str:
    """Return the text of worker.sh for a scan: `sh worker.sh FOLDER KEY...` runs jobs on a node."""
    gpus, together = scan.resources.gpus > 0, scan.per_gpu
    sender = sender_file(scan.id) if scan.channel in (PUSH, DROP) else None
    if not contained(scan.container) or scan.backend in BROUGHT:
        return script(None, [NoContainer()], [], gpus, together, sender)
    image = parse(scan.container.image or "")
    binds = [parse_bind(text) for text in scan.container.binds]
    return script(image, runtimes(image, scan.container.runtime), binds, gpus, together, sender)
