"""Checks `--image`, `--runtime` and `--bind` before a scan starts, and makes worker.sh of them."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

from jupyter_gridgpu.errors import BackendError, UsageError
from jupyter_gridgpu.images.apptainer import Apptainer
from jupyter_gridgpu.images.base import KIND_TEXTS, REMOTE_KINDS, Image, ImageRuntime
from jupyter_gridgpu.images.hidden import image_alone
from jupyter_gridgpu.images.identity import digest
from jupyter_gridgpu.images.launcher import Launch, script
from jupyter_gridgpu.images.no_container import NoContainer, StartedContainer, without_image
from jupyter_gridgpu.images.podman import Podman
from jupyter_gridgpu.images.reference import parse, parse_bind
from jupyter_gridgpu.images.setup import Setup, assignments, has_setup
from jupyter_gridgpu.model.kernel_language import NATIVE_KERNEL
from jupyter_gridgpu.model.resources import Container
from jupyter_gridgpu.model.scan import DROP, PUSH, ScanSpec
from jupyter_gridgpu.store.access import closed
from jupyter_gridgpu.store.shared_paths import place_on_nodes
from jupyter_gridgpu.transport.key_files import sender_file
from jupyter_gridgpu.transport.scan_secrets import kept_file

# PanDA starts the image first, and our launcher in it.
BACKENDS_WITH_OWN_CONTAINERS = ("panda",)
# A node takes the first of these runtimes that it has.
RUNTIMES: tuple[ImageRuntime, ...] = (Apptainer(), Podman())


def runtimes(image: Image, runtime: str = "auto") -> list[ImageRuntime]:
    """Return the runtimes that may run an image, the preferred one first.

    `runtime` is the name of the runtime that the user wants, or `auto` for any. Raises UsageError
    if that runtime does not run images of this kind.
    """
    able = [candidate for candidate in RUNTIMES if image.kind in candidate.kinds]
    wanted = [candidate for candidate in able if runtime in ("auto", candidate.name)]
    if not wanted:
        names = " or ".join(candidate.name for candidate in able)
        raise UsageError(
            f"--runtime {runtime}: it does not run {KIND_TEXTS[image.kind]}, which {image.ref} is;"
            f" {names} does."
        )
    return wanted


def starts_container(container: Container) -> bool:
    """Return whether our launcher starts a container for each job.

    It starts no container if there is no image, or if the runtime is `none`: then the node already
    runs in the image.
    """
    return container.image is not None and container.runtime != "none"


def resolve(container: Container, here: bool, exact: bool = True) -> Container:
    """Return a container with the whole path of its image and, if `exact`, with its digest.

    `here` says that jobs run on this machine, so that the image and the folders to bind must be
    here, too. Raises UsageError if one of them is not, or if the image cannot be one.
    """
    if not starts_container(container):
        return container
    image = parse(container.image or "")
    if here and not image.seen:
        raise UsageError(
            f"--image {image.ref}: there is no such file or folder on this machine,"
            " where the jobs would run."
        )
    # This raises UsageError if the runtime that the user wants does not run such an image.
    runtimes(image, container.runtime)
    for text in container.binds:
        bind = parse_bind(text)
        reason = closed(Path(bind.source)) if here else None
        if reason is not None:
            raise UsageError(f"--bind {text} cannot be used: {reason}.")
        if here and not os.path.exists(bind.source):
            raise UsageError(
                f"--bind {text}: there is no {bind.source} on this machine,"
                " where the jobs would run."
            )
    # The runner works in another folder, where a relative path would mean another file.
    whole_name = str(image.path)
    if image.kind in REMOTE_KINDS:
        whole_name = image.ref
    image_digest = container.digest
    if exact:
        image_digest = digest(image)
    return replace(container, image=whole_name, digest=image_digest)


def check_runs_here(container: Container) -> None:
    """Check that this machine can run a container's image.

    Raises UsageError if the image is not here, and BackendError if no program here runs it.
    """
    resolve(container, here=True, exact=False)
    image = parse(container.image or "")
    programs: list[str] = []
    for runtime in runtimes(image, container.runtime):
        programs += runtime.programs
    if not any(shutil.which(program) for program in programs):
        raise BackendError(
            f"This machine has no {' or '.join(programs)} to run {image.ref}"
            f" ({KIND_TEXTS[image.kind]}): install one, or send the jobs elsewhere with --on."
        )


def started_by_others(scan: ScanSpec) -> bool:
    """Return whether somebody else starts the image of a scan, and then our launcher in it."""
    if scan.container.image is None:
        return False
    if not starts_container(scan.container) or scan.backend in BACKENDS_WITH_OWN_CONTAINERS:
        return True
    return _brought(scan)


def _brought(scan: ScanSpec) -> bool:
    """Return whether HTCondor brings the image to its nodes, and starts it there.

    It does so where nodes do not see the scan's folder, unless they see the image: then our
    launcher starts it, as on a shared disk.
    """
    if scan.backend != "htcondor" or scan.placement.shared:
        return False
    source = parse(scan.container.image or "").source
    return place_on_nodes(source, scan.placement.shared_paths) is None


def launcher_text(scan: ScanSpec) -> str:
    """Return the text of worker.sh for a scan: `sh worker.sh FOLDER KEY...` runs jobs on a node."""
    launch = Launch(
        gpus=scan.resources.gpus > 0,
        together=scan.per_gpu,
        # The address and key with which jobs send metrics are a file in the user's configuration.
        sender=sender_file(scan.id) if scan.channel in (PUSH, DROP) else None,
        secrets=kept_file(scan),
        setup=Setup(scan.environment, own_kernel=scan.kernel == NATIVE_KERNEL),
    )
    ref = scan.container.image
    if ref is None:
        # The worker sets these variables as well, but it has to be found first.
        setup = replace(launch.setup, before=assignments(scan.environment.assigned()))
        on_grid = scan.backend in BACKENDS_WITH_OWN_CONTAINERS
        runtime = without_image(setup.program(), setup.first(), on_grid)
        return script(None, [runtime], [], replace(launch, setup=setup))
    if started_by_others(scan):
        return _text_in_container(scan, replace(launch, started=ref))
    image = parse(ref)
    binds = [parse_bind(text) for text in scan.container.binds]
    return script(image, runtimes(image, scan.container.runtime), binds, launch)


def _text_in_container(scan: ScanSpec, launch: Launch) -> str:
    """Return the text of worker.sh for jobs whose container somebody else starts."""
    runtime = StartedContainer()
    if not has_setup(scan.environment):
        return script(None, [runtime], [], launch)
    # The lines run in the image, and what they export is wanted there.
    setup = replace(launch.setup, before=image_alone())
    return script(None, [NoContainer(runtime.programs)], [], replace(launch, setup=setup))
