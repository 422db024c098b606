"""Which image it is, exactly: recorded when a scan starts, so that it can be told later what its results were made with."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from pathlib import Path

from jupyter_gridgpu.images.base import ARCHIVE, SANDBOX, SIF, Image
from jupyter_gridgpu.images.reference import read_archive

HASHED_BYTES = 1_000_000_000  # a second or two
SIF_UUID_AT = 48  # in a SIF's header: 32 bytes of a script, then magic, version, architecture
ENTRIES = 10_000
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
    """CVMFS keeps unpacked images in folders that are named by their digest; of others, what lies on top is looked at."""
    flat = [part for part in path.resolve().parts if _FLAT.fullmatch(part)]
    if flat:
        return f"sha256:{flat[-1]}"
    made = hashlib.sha256()
    for line in sorted(_entries(path, depth=2))[:ENTRIES]:
        made.update(line.encode("utf-8", "surrogateescape"))
    return f"folder:{made.hexdigest()[:32]}"


def _entries(path: Path, depth: int) -> list[str]:
    """Names, sizes and times of what is in a folder. Folders of the running system are not the image's."""
    found: list[str] = []
    for entry in os.scandir(path):
        stat = entry.stat(follow_symlinks=False)
        if not entry.is_dir(follow_symlinks=False):
            found.append(f"{entry.name} {stat.st_size} {stat.st_mtime_ns}\n")
        elif entry.name not in ("proc", "sys", "dev", "run", "tmp"):
            inner = _entries(Path(entry.path), depth - 1) if depth > 1 else []
            found += [f"{entry.name}/{line}" for line in ["\n", *inner]]
    return found
