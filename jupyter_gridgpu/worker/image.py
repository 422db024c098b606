"""Tells which image a job runs in, whether papermill is in it, and gives it a home folder.

The launcher `worker.sh` sets two environment variables before it starts the worker in an image.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from jupyter_gridgpu.store.paths import ScanPaths, publish

NAME_VARIABLE = "GRIDGPU_IMAGE"  # the image as the user named it
# What tells the image from others of the same name, for example its digest.
VERSION_VARIABLE = "GRIDGPU_IMAGE_MARK"
# Here the runtime says in which file it keeps an image that it fetched itself. The name of that
# file is a digest.
CACHE_VARIABLES = ("APPTAINER_CONTAINER", "SINGULARITY_CONTAINER")
EXIT_NO_PAPERMILL = 74  # exit code of a worker whose Python cannot run a notebook
OLDEST_PAPERMILL = (2, 4)
VERSION_LIMIT = 200  # characters that are read of the version which another job wrote


def image_name() -> str | None:
    """Return the image that this process runs in, as the user named it; None outside an image."""
    return os.environ.get(NAME_VARIABLE)


def image_version() -> str | None:
    """Return what tells this image from others of its name; None if that is not known."""
    if image_name() is None:
        return None
    given = os.environ.get(VERSION_VARIABLE)
    if given:
        return given
    for name in CACHE_VARIABLES:
        if name in os.environ:
            return Path(os.environ[name]).name
    return None


def missing_requirement() -> str | None:
    """Return a sentence about what this Python lacks to run a notebook; None if nothing.

    It does not import papermill, which would take half a second.
    """
    where = f"{sys.executable}, the Python of this node,"
    if image_name():
        where = f"The image {image_name()}"
    if find_spec("papermill") is None:
        return f"{where} has no papermill: pip install papermill ipykernel."
    try:
        found = version("papermill")
    except PackageNotFoundError:
        # A copy of papermill's sources has no version that could be asked; the job will tell.
        return None
    numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
    if numbers < OLDEST_PAPERMILL:
        return f"{where} has papermill {found}; 2.4 or newer is needed."
    return None


def describe_other_image(scan: ScanPaths, found: str | None) -> str | None:
    """Return a sentence if `found` is another image than that of the scan's first job, else None.

    `found` is what image_version() returned. The first job to ask publishes its own as the scan's.
    A tag like `latest` may move while a scan runs; its results could then not be compared.
    """
    if not found:
        return None
    part = scan.folder / f".image.{os.uname().nodename}.{os.getpid()}"
    try:
        part.write_text(found, encoding="utf-8")
        if publish(part, scan.image_version):
            return None
        first = scan.image_version.read_text(encoding="utf-8", errors="replace")[:VERSION_LIMIT]
    except OSError:
        # The disk refuses now; this job goes on without the comparison, and the next one tries.
        return None
    finally:
        part.unlink(missing_ok=True)
    if first == found:
        return None
    return f"{image_name()} is another image here ({found}) than where the scan began ({first})."


def make_home(scratch: Path) -> None:
    """In an image, set HOME to a new folder in `scratch`, which is removed with the job.

    The user's home is often not visible in an image, and programs fail that want to write there.
    """
    if image_name() is not None:
        home = scratch / "home"
        home.mkdir(mode=0o700)
        os.environ["HOME"] = str(home)
