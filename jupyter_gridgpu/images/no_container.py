"""No container of ours: a Python of the node runs the worker, or that of the image it is in."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from jupyter_gridgpu.images.base import Bind, FetchCommands, Image
from jupyter_gridgpu.images.hidden import HIDDEN_VARIABLES

PYTHON3 = "python3"
# Every site of the grid sees the same files here. Under any other path of this machine, a node of
# the grid has another Python, or none.
SEEN_EVERYWHERE = "/cvmfs/"


class NoContainer:
    """Runs the worker with the first of `programs` that the node has."""

    name = "none"
    kinds: frozenset[str] = frozenset()
    # The job runs in the user's own environment, as the user set it up.
    hidden_variables: tuple[str, ...] = ()
    hide_processes: tuple[str, tuple[str, ...]] = ("false", ())

    def __init__(self, programs: Sequence[str]) -> None:
        self.programs = tuple(programs)

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


class StartedContainer(NoContainer):
    """Runs the worker in a container that somebody else has started: the batch system, or the user.

    Only the image's own python3 counts. A path of the machine where the scan was started may be
    there, too, from a disk that the image sees, and lead to another Python.
    """

    hidden_variables: tuple[str, ...] = HIDDEN_VARIABLES

    def __init__(self) -> None:
        super().__init__([PYTHON3])


def without_image(python: str | None, first: Sequence[str], on_grid: bool) -> NoContainer:
    """Return how jobs run in no image: with `python` alone, if the user named one.

    Otherwise they run with the `first` programs, with the Python of this machine if a node has it
    under the same path, or with python3. Nodes of the grid share nothing with this machine but
    CVMFS.
    """
    if python is not None:
        return NoContainer([python])
    if on_grid and not sys.executable.startswith(SEEN_EVERYWHERE):
        return NoContainer([*first, PYTHON3])
    return NoContainer([*first, sys.executable, PYTHON3])
