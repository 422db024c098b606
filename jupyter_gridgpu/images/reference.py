"""Reads what a user wrote as --image and --bind, before anything is sent."""

from __future__ import annotations

import re
from pathlib import Path

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.images.archive import read_archive
from jupyter_gridgpu.images.base import ARCHIVE, ORAS, REGISTRY, SANDBOX, SIF, Bind, Image
from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.access import closed, why
from jupyter_gridgpu.store.opener import open_users

SIF_MAGIC = b"SIF_MAGIC"
SIF_MAGIC_AT = 32  # bytes from the start of a SIF
SCHEMES = {"docker": REGISTRY, "oras": ORAS}
FORMS = "give a .sif file, a folder with an unpacked image, an OCI archive, or docker://NAME"
NAME_LIMIT = 1000  # characters
SHOWN_LIMIT = 60  # characters of a name in a message
_REGISTRY_NAME = re.compile(
    r"[a-zA-Z0-9][a-zA-Z0-9._:-]*(/[a-zA-Z0-9._-]+)*(:[\w.-]+)?(@sha256:[0-9a-f]{64})?"
)
# Apptainer and podman divide the parts of an option by colons and commas, and cannot quote them.
_BINDABLE = re.compile(r"/[^:,\"\\\0-\x1f]+")


def parse(ref: str) -> Image:
    """Return the image that `ref` names.

    For an image that only nodes have, `seen` is False. Raises UsageError for a text that cannot
    name an image, and for a file or folder here that is no image.
    """
    scheme, separator, name = ref.partition("://")
    if separator:
        return _image_of_registry(ref, scheme, name)
    if not ref or not ref.isprintable() or len(ref) > NAME_LIMIT:
        raise UsageError(f"--image {ref[:SHOWN_LIMIT]!r} is no name of an image; {FORMS}.")
    path = home.user_path(ref).absolute()
    reason = closed(path)
    if reason is not None:
        raise UsageError(f"--image {ref} cannot be read: {reason}.")
    try:
        is_here = path.exists()
    except OSError as error:  # a part of the path may be too long, or not be readable
        raise UsageError(f"--image {ref}: {error.strerror}.") from None
    if is_here:
        return _image_on_disk(ref, path)
    return _image_of_nodes(ref, path)


def _image_of_registry(ref: str, scheme: str, name: str) -> Image:
    if scheme not in SCHEMES:
        raise UsageError(f"--image {ref}: images are not fetched by {scheme}://; {FORMS}.")
    if not _REGISTRY_NAME.fullmatch(name):
        raise UsageError(
            f"--image {ref}: {name!r} is no name of an image, like atlasml/ml-base:latest."
        )
    return Image(ref, SCHEMES[scheme], ref)


def _image_on_disk(ref: str, path: Path) -> Image:
    # The content decides, whatever the file is called.
    try:
        if path.is_dir():
            return _unpacked_image(ref, path)
        with open_users(path) as file:
            magic = file.read(SIF_MAGIC_AT + len(SIF_MAGIC))[SIF_MAGIC_AT:]
    except OSError as error:
        raise UsageError(f"--image {ref} cannot be read: {why(error, path)}.") from None
    if magic == SIF_MAGIC:
        return Image(ref, SIF, str(path))
    archive = read_archive(path)
    if archive is None:
        raise UsageError(f"--image {ref} is a file, but no SIF and no OCI archive; {FORMS}.")
    return Image(ref, ARCHIVE, f"{archive.transport}:{path}", image_id=archive.image_id)


def _unpacked_image(ref: str, path: Path) -> Image:
    if not looks_like_root(path):
        raise UsageError(
            f"--image {ref} is a folder without a root file system: it has no bin and usr; {FORMS}."
        )
    return Image(ref, SANDBOX, str(path))


def _image_of_nodes(ref: str, path: Path) -> Image:
    """Return an image that only nodes may have, as far as its name tells.

    Raises UsageError if the image should be on a disk that this machine has: its path is wrong.
    """
    if _disk_is_here(path):
        hint = ""
        if _REGISTRY_NAME.fullmatch(ref) and not ref.endswith(".sif"):
            hint = f" An image of a registry is written docker://{ref}."
        raise UsageError(f"--image {ref}: there is no such file or folder.{hint}")
    if path.suffix in (".sif", ".simg"):
        return Image(ref, SIF, str(path), seen=False)
    if path.suffix == ".tar":
        return Image(ref, ARCHIVE, f"oci-archive:{path}", seen=False)
    return Image(ref, SANDBOX, str(path), seen=False)


def _disk_is_here(path: Path) -> bool:
    """Return whether this machine has the disk on which an image should be."""
    parts = path.parts  # ("/", "cvmfs", "unpacked.cern.ch", ...)
    # CVMFS mounts a repository (/cvmfs/NAME) when somebody looks at it. If the repository itself is
    # missing, this machine does not have it. If only a folder in it is missing, the path is wrong.
    if parts[1:2] == ("cvmfs",) and len(parts) > 3:
        return Path(*parts[:3]).is_dir()
    return path.parent.is_dir()


def looks_like_root(path: Path) -> bool:
    """Return whether a folder holds a root file system."""
    # /bin is often a link to usr/bin. Seen from outside the image, a link may lead nowhere.
    return all((path / name).exists() or (path / name).is_symlink() for name in ("bin", "usr"))


def parse_bind(text: str) -> Bind:
    """Return the bind that `SRC`, `SRC:DST`, `SRC:ro` or `SRC:DST:ro` means.

    Raises UsageError for anything else.
    """
    source, *rest = text.split(":")
    readonly = rest[-1:] == ["ro"]
    if rest[-1:] in (["ro"], ["rw"]):
        rest = rest[:-1]
    targets = [part for part in rest if part]
    source = str(home.user_path(source))
    if len(targets) > 1 or not all(_BINDABLE.fullmatch(part) for part in (source, *targets)):
        raise UsageError(
            f"--bind {text!r}: write SRC, SRC:DST or SRC:DST:ro,"
            " with whole paths, like /data/jets:/data:ro."
        )
    # Without a target, the folder has the same path in the container.
    target = source
    if targets:
        target = targets[0]
    return Bind(source, target, readonly)
