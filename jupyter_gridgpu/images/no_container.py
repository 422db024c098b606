"""No container: a Python of the node runs the worker."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from jupyter_gridgpu.images.base import Bind, FetchCommands, Image


class NoContainer:
    """Runs the Python of this machine, if the node has it under the same path, else python3."""

    name = "none"
    programs: tuple[str, ...] = (sys.executable, "python3")
    kinds: frozenset[str] = frozenset()
    # The job runs in the user's own environment, as the user set it up.
    hidden_variables: tuple[str, ...] = ()
    hide_processes: tuple[str, tuple[str, ...]] = ("false", ())

    def options(self, program: str, binds: Sequence[Bind], gpus: bool, folder: str) -> list[str]:
        """Return the program alone: it needs no option and no bind."""
        return [program]

    def inside(self, image: Image | None, argv: Sequence[str]) -> list[str]:
        """Return the arguments of the program, which is Python itself."""
        return list(argv)

    def mount(self, bind: Bind) -> list[str]:
        """Return nothing: jobs see all that the node has."""
        return []

    def fetch_commands(self, program: str, image: Image) -> FetchCommands | None:
        """Return None: there is no image to fetch."""
        return None
