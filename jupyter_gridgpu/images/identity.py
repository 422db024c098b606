"""Which image it is, exactly: recorded when a scan starts, so that it can be told later what its results were made with."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

from jupyter_gridgpu.images.base import ARCHIVE, SANDBOX, SIF, Image
from jupyter_gridgpu.images.reference import read_archive

HASHED_BYTES = 1_000_000_000  # a second or two
SIF_UUID_AT = 48  # in a SIF's header: 32 bytes of a script, then magic, version, architecture
ENTRIES = 20_000
# Where an image lists the packages that it has.
LISTS = (
    ".singularity.d", "etc", "usr", "usr/local", "usr/local/bin", "var/lib/dpkg", "var/lib/rpm", "usr/lib/sysimage/rpm", "opt",
    "*/lib/python3*/*-packages", "usr/lib*/python3*/*-packages", "usr/local/lib/python3*/*-packages", "opt/*/conda-meta",
    "opt/*/lib/python3*/*-packages",
)  # fmt: skip
_FLAT = re.compile(r"[0-9a-f]{64}")
_PINNED = re.compile(r"@(sha256:[0-9a-f]{64})$")


def digest(image: Image) -> str | None:
    """Return what tells an image from another one of the same name; None where this machine cannot know it cheaply.

    sha256:... is that of a SIF's file, an archive's or registry's manifest, or what a folder of CVMFS is named by;
    sif:... is the UUID that a SIF got when it was built, for large ones; folder:... is made of names, sizes and times.
    """
    if not image.seen:
        return None
    try:
        if image.kind == SIF:
            return _of_sif(image.path)
        if image.kind == SANDBOX:
            return _of_folder(image.path)
    except OSError:
        return None
    if image.kind == ARCHIVE:
        return (read_archive(image.path) or {}).get("digest")
    pinned = _PINNED.search(image.source)
    return pinned[1] if pinned else None


def _of_sif(path: Path) -> str:
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size > HASHED_BYTES:
            file.seek(SIF_UUID_AT)
            return f"sif:{uuid.UUID(bytes=file.read(16))}"
        made = hashlib.sha256()
        while block := file.read(1 << 20):
            made.update(block)
    return f"sha256:{made.hexdigest()}"


def _of_folder(path: Path) -> str:
    """CVMFS keeps unpacked images in folders named by their digest; of others, lists of what is in them are looked at."""
    flat = [part for part in path.resolve().parts if _FLAT.fullmatch(part)]
    if flat:
        return f"sha256:{flat[-1]}"
    folders = sorted(
        {path, *(found for pattern in LISTS for found in path.glob(pattern) if found.is_dir())}
    )
    made = hashlib.sha256()
    for line in sorted(line for folder in folders for line in _entries(folder, path))[:ENTRIES]:
        made.update(line.encode("utf-8", "surrogateescape"))
    return f"folder:{made.hexdigest()[:32]}"


def _entries(folder: Path, image: Path) -> Iterator[str]:
    """Names, and of files sizes and times."""
    for entry in os.scandir(folder):
        stat = entry.stat(follow_symlinks=False)
        facts = "" if entry.is_dir(follow_symlinks=False) else f" {stat.st_size} {stat.st_mtime_ns}"
        yield f"{folder.relative_to(image)}/{entry.name}{facts}\n"
