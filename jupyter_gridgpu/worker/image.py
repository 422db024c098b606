"""Tells which image a job runs in and whether it has papermill, and makes a home folder there.

The launcher `worker.sh` sets two environment variables before it starts the worker in an image.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from jupyter_gridgpu.model.job import one_line

NAME_VARIABLE = "GRIDGPU_IMAGE"  # the image as the user named it
# The image's version, which tells it from others of the same name, for example a digest.
VERSION_VARIABLE = "GRIDGPU_IMAGE_MARK"
# A runtime that fetched the image itself sets one of these to the file in which it keeps the image.
# The name of that file is a digest.
CACHE_VARIABLES = ("APPTAINER_CONTAINER", "SINGULARITY_CONTAINER")
# Says that the kernel `python3` must be that of the Python which runs the worker: `--python`.
OWN_KERNEL_VARIABLE = "GRIDGPU_OWN_KERNEL"
# What runtimes leave in a container, the innermost one first: apptainer may run in docker.
_SIGNS = (
    ("/.singularity.d", "apptainer"),
    ("/singularity", "apptainer"),
    ("/run/.containerenv", "podman"),
    ("/.dockerenv", "docker"),
)
_KIND_VARIABLE = "container"  # podman and others set it to their name
EXIT_NO_PAPERMILL = 74  # exit code of a worker whose Python cannot run a notebook
OLDEST_PAPERMILL = (2, 4)


def image_name() -> str | None:
    """Return the image that this process runs in, as the user named it; None outside an image."""
    return os.environ.get(NAME_VARIABLE)


def image_version() -> str | None:
    """Return the version, which tells this image from others of its name; None if not known."""
    if image_name() is None:
        return None
    given = os.environ.get(VERSION_VARIABLE)
    if given:
        return given
    for name in CACHE_VARIABLES:
        if name in os.environ:
            return Path(os.environ[name]).name
    return None


def container() -> str | None:
    """Return what kind of container this process is in; None if there is no sign of one.

    What the container has inside counts more than a variable, which may come from elsewhere.
    """
    for path, kind in _SIGNS:
        if os.path.lexists(path):
            return kind
    for name in CACHE_VARIABLES:
        if os.environ.get(name):
            return "apptainer"
    return one_line(os.environ.get(_KIND_VARIABLE), 40)


def missing_requirement() -> str | None:
    """Return a sentence about what this Python lacks to run a notebook; None if nothing.

    The function looks for papermill without importing it, which would take half a second.
    """
    where = f"{sys.executable}, the Python of this node,"
    if image_name():
        where = f"The image {image_name()}"
    if find_spec("papermill") is None:
        return f"{where} has no papermill: pip install papermill ipykernel."
    if os.environ.get(OWN_KERNEL_VARIABLE) and find_spec("ipykernel") is None:
        return f"{where} has no ipykernel: {sys.executable} -m pip install ipykernel."
    try:
        found = version("papermill")
    except PackageNotFoundError:
        # A folder with papermill's sources has no version. If it is too old, the job fails.
        return None
    numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
    if numbers < OLDEST_PAPERMILL:
        return f"{where} has papermill {found}; 2.4 or newer is needed."
    return None


def make_home(scratch: Path) -> None:
    """In an image, set HOME to a new folder in `scratch`, which is removed with the job.

    The user's home is often not visible in an image, and programs that write there would fail.
    """
    if image_name() is not None:
        home = scratch / "home"
        home.mkdir(mode=0o700)
        os.environ["HOME"] = str(home)
