"""The image that a job runs in: what it lacks, which one it is, and the home folder that it does not have."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from jupyter_gridgpu.store.paths import ScanPaths, publish

IMAGE, MARK = (
    "GRIDGPU_IMAGE",
    "GRIDGPU_IMAGE_MARK",
)  # set by worker.sh: its name, and what tells it from others of that name
CACHED = (
    "APPTAINER_CONTAINER",
    "SINGULARITY_CONTAINER",
)  # where the runtime keeps an image that it fetched itself
LACKING = 74  # exit code
PAPERMILL = (2, 4)


def image() -> str | None:
    """Return the image that this process runs in, as the user named it; None outside of one."""
    return os.environ.get(IMAGE)


def lacking() -> str | None:
    """Say what this Python lacks to run a notebook; None if nothing. It costs no import of papermill."""
    where = f"The image {image()}" if image() else f"{sys.executable}, the Python of this node,"
    if find_spec("papermill") is None:
        return f"{where} has no papermill: pip install papermill ipykernel."
    try:
        found = version("papermill")
    except PackageNotFoundError:  # a copy of its sources; they are tried
        return None
    numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
    return (
        f"{where} has papermill {found}; 2.4 or newer is needed." if numbers < PAPERMILL else None
    )


def mark() -> str | None:
    """Return what tells the image from another one of its name; None where nothing is known."""
    if image() is None or os.environ.get(MARK):
        return os.environ.get(MARK) if image() else None
    return next((Path(os.environ[name]).name for name in CACHED if name in os.environ), None)


def differs(scan: ScanPaths, found: str | None) -> str | None:
    """Say that this image is not the one in which the scan's first job ran; None if it is, or this is the first."""
    if not found:
        return None
    part = scan.folder / f".image.{os.uname().nodename}.{os.getpid()}"
    try:
        part.write_text(found, encoding="utf-8")
        if publish(part, scan.image_mark):
            return None
        first = scan.image_mark.read_text(encoding="utf-8", errors="replace")[:200]
    except OSError:  # it is tried by the next job
        return None
    finally:
        part.unlink(missing_ok=True)
    return (
        None
        if first == found
        else f"{image()} is another image here ({found}) than where the scan began ({first})."
    )


def move_home(scratch: Path) -> None:
    """In an image, give programs that want to write there a home folder for as long as the job lasts."""
    if image() is not None:
        home = scratch / "home"
        home.mkdir(mode=0o700)
        os.environ["HOME"] = str(home)
