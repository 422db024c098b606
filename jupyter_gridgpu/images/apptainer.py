"""Apptainer, and Singularity, its old name with the same command line."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_gridgpu.images.base import (
    ORAS,
    REGISTRY,
    SANDBOX,
    SET_VARIABLES,
    SIF,
    Bind,
    FetchCommands,
    Image,
    python3_command,
)
from jupyter_gridgpu.images.hidden import HIDDEN_VARIABLES, RUNTIME_VARIABLES


class Apptainer:
    """Runs folders, SIFs and images of a registry. It reads no archives of podman or docker."""

    name = "apptainer"
    programs: tuple[str, ...] = ("apptainer", "singularity")
    kinds = frozenset((SANDBOX, SIF, REGISTRY, ORAS))
    # Apptainer hands on the whole environment but PATH and LD_LIBRARY_PATH.
    hidden_variables: tuple[str, ...] = (*HIDDEN_VARIABLES, *RUNTIME_VARIABLES)
    # Without setuid, a container has a user namespace of its own, which keeps it from other
    # processes. In a node that is a container itself, --pid may not work.
    hide_processes: tuple[str, tuple[str, ...]] = (
        '[ "$(id -u)" = 0 ] || "$program" buildcfg 2>/dev/null | grep -q SUID_INSTALL=1',
        ("--pid",),
    )

    def options(self, program: str, binds: Sequence[Bind], gpus: bool, folder: str) -> list[str]:
        """Return the words of ImageRuntime.options.

        Processes, network and devices of the container are those of the node.
        """
        variables = ",".join(f"{name}={value}" for name, value in SET_VARIABLES.items())
        # The user's home stays outside: packages in ~/.local would come before those of the image.
        # root would keep its privileges, and could make writable what is mounted read-only.
        options = ["--no-home", "--no-privs", "--env", variables]
        if gpus:
            options.append("--nv")
        for bind in binds:
            options += self.mount(bind)
        return [program, "exec", *options]

    def inside(self, image: Image | None, argv: Sequence[str]) -> list[str]:
        """Return the words of ImageRuntime.inside."""
        assert image is not None
        return [image.source, *python3_command(argv)]

    def mount(self, bind: Bind) -> list[str]:
        """Return the words of ImageRuntime.mount."""
        return ["--bind", str(bind)]

    def fetch_commands(self, program: str, image: Image) -> FetchCommands | None:
        """Return None: `apptainer exec` fetches an image of a registry into its own cache."""
        return None
