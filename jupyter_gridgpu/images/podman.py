"""Podman, as a user without privileges."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_gridgpu.images.base import (
    ARCHIVE,
    INSIDE,
    PASSED,
    REGISTRY,
    SANDBOX,
    Bind,
    Fetching,
    Image,
    python3,
)

# Processes, host name and network are those of the node, as with apptainer: a claim names a process that everybody can
# see, signals find the worker, and the kernel's sockets are in a folder of the node. root inside is the user outside.
_AS_THE_NODE = (
    "--rm", "--read-only", "--pid=host", "--uts=host", "--network=host", "--user=0:0",
    "--security-opt=label=disable", "--log-driver=none", "--volume=/dev/shm:/dev/shm",
)  # fmt: skip
_GPUS = "--device=nvidia.com/gpu=all"  # CDI; CUDA_VISIBLE_DEVICES says which of them are the job's


class Podman:
    name = "podman"
    programs: tuple[str, ...] = ("podman",)
    kinds = frozenset((SANDBOX, ARCHIVE, REGISTRY))
    hides: tuple[str, ...] = ()  # only what is named gets in

    def command(
        self,
        program: str,
        image: Image | None,
        binds: Sequence[Bind],
        gpus: bool,
        argv: Sequence[str],
    ) -> list[str]:
        assert image is not None
        places = [word for bind in binds for word in ("--volume", str(bind))]
        passed = [f"--env={name}" for name in PASSED] + [
            f"--env={name}={value}" for name, value in INSIDE.items()
        ]
        words = [
            program,
            "run",
            *_AS_THE_NODE,
            *[_GPUS] * gpus,
            *passed,
            *places,
            f"--workdir={binds[0].target}",
        ]
        # An unpacked image may be on a disk that nobody can write to: what the mounts need lies over it.
        return [
            *words,
            *(["--rootfs", f"{image.source}:O"] if image.kind == SANDBOX else [_name(image)]),
            *python3(argv),
        ]

    def fetching(self, program: str, image: Image) -> Fetching | None:
        """What is on the node already is used: a registry is not asked once a job."""
        if image.kind == SANDBOX or (image.kind == ARCHIVE and not image.ident):
            return None
        name, tell = _name(image), "{{.Digest}}"
        return Fetching(
            (program, "image", "exists", name),
            (program, "pull", "--quiet", image.source),
            (program, "image", "inspect", "--format", tell, name),
        )


def _name(image: Image) -> str:
    """What podman calls the image once it has it."""
    return (
        image.ident or image.source if image.kind == ARCHIVE else image.source.partition("://")[2]
    )
