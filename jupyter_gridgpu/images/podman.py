"""Podman, started by a user without privileges."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_gridgpu.images.base import (
    ARCHIVE,
    PASSED_VARIABLES,
    REGISTRY,
    SANDBOX,
    SET_VARIABLES,
    Bind,
    FetchCommands,
    Image,
    python3_command,
)

# Processes, host name and network are those of the node, as with Apptainer: a node that is a
# container itself often allows nothing else. `root` in the container is the user outside.
_AS_THE_NODE = (
    "--rm",
    "--read-only",
    "--pid=host",
    "--uts=host",
    "--network=host",
    "--user=0:0",
    "--security-opt=label=disable",
    "--security-opt=no-new-privileges",
    "--log-driver=none",
    "--volume=/dev/shm:/dev/shm",
)
# This lets in all GPUs of the node. CUDA_VISIBLE_DEVICES says which of them are the job's.
_GPUS = "--device=nvidia.com/gpu=all"


class Podman:
    """Runs folders, archives and images of a registry. It reads no SIFs."""

    name = "podman"
    programs: tuple[str, ...] = ("podman",)
    kinds = frozenset((SANDBOX, ARCHIVE, REGISTRY))
    # Podman hands on only the variables that its options name.
    hidden_variables: tuple[str, ...] = ()
    # For other users podman makes a user namespace, which keeps a container from other processes.
    hide_processes: tuple[str, tuple[str, ...]] = ('[ "$(id -u)" = 0 ]', ("--pid=private",))

    def options(self, program: str, binds: Sequence[Bind], gpus: bool, folder: str) -> list[str]:
        """Return the words of ImageRuntime.options."""
        options = [*_AS_THE_NODE]
        if gpus:
            options.append(_GPUS)
        # A site may have set that all variables get in.
        options.append("--env-host=false")
        # A variable that is only named keeps its value: values are never on a command line, where
        # every user of the node could read them.
        options += [f"--env={name}" for name in PASSED_VARIABLES]
        options += [f"--env={name}={value}" for name, value in SET_VARIABLES.items()]
        # By it programs know that they are in a container. Podman's own sign is a file, which it
        # does not make where the image is read-only.
        options.append("--env=container=podman")
        options.append(f"--workdir={folder}")
        for bind in binds:
            options += self.mount(bind)
        return [program, "run", *options]

    def inside(self, image: Image | None, argv: Sequence[str]) -> list[str]:
        """Return the words of ImageRuntime.inside."""
        assert image is not None
        if image.kind == SANDBOX:
            # Podman makes mount points in the image, and the folder may be on a disk that nobody
            # can write to. With :O, a layer over the folder takes what is written.
            image_words = ["--rootfs", f"{image.source}:O"]
        else:
            image_words = [_podman_name(image)]
        return [*image_words, *python3_command(argv)]

    def mount(self, bind: Bind) -> list[str]:
        """Return the words of ImageRuntime.mount."""
        return ["--volume", str(bind)]

    def fetch_commands(self, program: str, image: Image) -> FetchCommands | None:
        """Return how an image gets into podman's storage.

        An image that is there is used, so that a registry is not asked once for each job.
        """
        # The name of an image in an archive is not known where the archive is not seen. Podman
        # then reads the archive at every start.
        if image.kind == SANDBOX or (image.kind == ARCHIVE and not image.image_id):
            return None
        name = _podman_name(image)
        return FetchCommands(
            exists=(program, "image", "exists", name),
            fetch=(program, "pull", "--quiet", image.source),
            digest=(program, "image", "inspect", "--format", "{{.Digest}}", name),
        )


def _podman_name(image: Image) -> str:
    """Return what podman calls the image once it has it."""
    if image.kind == ARCHIVE:
        return image.image_id or image.source
    return image.source.partition("://")[2]
