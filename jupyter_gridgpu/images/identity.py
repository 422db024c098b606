"""The digest of an image, which tells exactly which image it is.

The digest is recorded when a scan starts, so that it is known later which image made the results.
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

from jupyter_gridgpu.images.archive import read_archive
from jupyter_gridgpu.images.base import ARCHIVE, SANDBOX, SIF, Image
from jupyter_gridgpu.store.opener import open_users

# A SIF up to this size is read whole, which takes a second or two.
HASH_LIMIT_BYTES = 1_000_000_000
BLOCK_BYTES = 1 << 20
# In the header of a SIF, the UUID comes after a script line of 32 bytes, the magic bytes, the
# version and the architecture.
SIF_UUID_AT = 48
UUID_BYTES = 16
ENTRIES_LIMIT = 20_000
# Folders of an image in which packages leave files when they are installed.
PACKAGE_FOLDERS = (
    ".singularity.d",
    "etc",
    "usr",
    "usr/local",
    "usr/local/bin",
    "var/lib/dpkg",
    "var/lib/rpm",
    "usr/lib/sysimage/rpm",
    "opt",
    "*/lib/python3*/*-packages",
    "usr/lib*/python3*/*-packages",
    "usr/local/lib/python3*/*-packages",
    "opt/*/conda-meta",
    "opt/*/lib/python3*/*-packages",
)
_DIGEST_FOLDER = re.compile(r"[0-9a-f]{64}")
_PINNED = re.compile(r"@(sha256:[0-9a-f]{64})$")


def digest(image: Image) -> str | None:
    """Return a digest that tells an image from another image of the same name.

    - `sha256:...` is the digest of a SIF's file, of the manifest of an archive or a registry, or
      the one by which CVMFS names a folder;
    - `sif:...` is the UUID that a SIF got when it was built, for a large one;
    - `folder:...` is made of names, sizes and times of files, for other folders.

    None means that this machine cannot find the digest, or only by reading the whole image.
    """
    if not image.seen:
        return None
    try:
        if image.kind == SIF:
            return _digest_of_sif(image.path)
        if image.kind == SANDBOX:
            return _digest_of_folder(image.path)
    except OSError:
        return None
    if image.kind == ARCHIVE:
        archive = read_archive(image.path)
        if archive is None:  # it was removed or replaced a moment ago
            return None
        return archive.digest
    # Only a name with @sha256:... says which image it is. A tag may move.
    pinned = _PINNED.search(image.source)
    if pinned is None:
        return None
    return pinned[1]


def _digest_of_sif(path: Path) -> str:
    with open_users(path) as file:
        if os.fstat(file.fileno()).st_size > HASH_LIMIT_BYTES:
            file.seek(SIF_UUID_AT)
            return f"sif:{uuid.UUID(bytes=file.read(UUID_BYTES))}"
        sha256 = hashlib.sha256()
        while block := file.read(BLOCK_BYTES):
            sha256.update(block)
    return f"sha256:{sha256.hexdigest()}"


def _digest_of_folder(path: Path) -> str:
    # CVMFS keeps unpacked images in folders that are named by their digest; what users name are
    # links to these folders.
    digests = [part for part in path.resolve().parts if _DIGEST_FOLDER.fullmatch(part)]
    if digests:
        return f"sha256:{digests[-1]}"
    # An unpacked image has 100,000 files and more, so only those are looked at that change when a
    # package is installed.
    folders = {path}
    for pattern in PACKAGE_FOLDERS:
        folders |= {found for found in path.glob(pattern) if found.is_dir()}
    lines: list[str] = []
    for folder in folders:
        lines += _entries(folder, path)
    sha256 = hashlib.sha256()
    for line in sorted(lines)[:ENTRIES_LIMIT]:
        sha256.update(line.encode("utf-8", "surrogateescape"))
    return f"folder:{sha256.hexdigest()[:32]}"


def _entries(folder: Path, image: Path) -> Iterator[str]:
    """Yield a line for each entry of a folder: its name and, of a file, its size and time."""
    for entry in os.scandir(folder):
        stat = entry.stat(follow_symlinks=False)
        facts = ""
        # The size and time of a folder depend on the disk that it is on.
        if not entry.is_dir(follow_symlinks=False):
            facts = f" {stat.st_size} {stat.st_mtime_ns}"
        yield f"{folder.relative_to(image)}/{entry.name}{facts}\n"
