"""What a user wrote as --image and --bind, looked at before anything is sent."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.images.base import ARCHIVE, ORAS, REGISTRY, SANDBOX, SIF, Bind, Image
from jupyter_gridgpu.store import home

if TYPE_CHECKING:
    import tarfile

SIF_MAGIC, SIF_MAGIC_AT = b"SIF_MAGIC", 32
SCHEMES = {"docker": REGISTRY, "oras": ORAS}
FORMS = "give a .sif file, a folder with an unpacked image, an OCI archive, or docker://NAME"
NAME_LIMIT = 1000
MEMBER_BYTES = 4_000_000  # of a JSON file in an archive
_NAME = re.compile(
    r"[a-zA-Z0-9][a-zA-Z0-9._:-]*(/[a-zA-Z0-9._-]+)*(:[\w.-]+)?(@sha256:[0-9a-f]{64})?"
)
_BINDABLE = re.compile(r"/[^:,\"\\\0-\x1f]+")  # what the runtimes' options can carry


def parse(ref: str) -> Image:
    """Return the image that `ref` names. Raises UsageError for what cannot be one, as far as this machine can see."""
    scheme, mark, name = ref.partition("://")
    if mark:
        return _of_registry(ref, scheme, name)
    if not ref or not ref.isprintable() or len(ref) > NAME_LIMIT:
        raise UsageError(f"--image {ref[:60]!r} is no name of an image; {FORMS}.")
    path = home.user_path(ref).absolute()
    try:
        there = path.exists()
    except OSError as error:
        raise UsageError(f"--image {ref}: {error.strerror}.") from None
    return _on_disk(ref, path) if there else _elsewhere(ref, path)


def _of_registry(ref: str, scheme: str, name: str) -> Image:
    if scheme not in SCHEMES:
        raise UsageError(f"--image {ref}: images are not fetched by {scheme}://; {FORMS}.")
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"--image {ref}: {name!r} is no name of an image, like atlasml/ml-base:latest."
        )
    return Image(ref, SCHEMES[scheme], ref)


def _on_disk(ref: str, path: Path) -> Image:
    try:
        if path.is_dir():
            if not looks_like_root(path):
                raise UsageError(
                    f"--image {ref} is a folder without a root file system: it has no bin and usr; {FORMS}."
                )
            return Image(ref, SANDBOX, str(path))
        with open(path, "rb") as file:
            magic = file.read(SIF_MAGIC_AT + len(SIF_MAGIC))[SIF_MAGIC_AT:]
    except OSError as error:
        raise UsageError(f"--image {ref} cannot be read: {error.strerror}.") from None
    if magic == SIF_MAGIC:
        return Image(ref, SIF, str(path))
    if found := read_archive(path):
        return Image(ref, ARCHIVE, f"{found['transport']}:{path}", ident=found["ident"])
    raise UsageError(f"--image {ref} is a file, but no SIF and no OCI archive; {FORMS}.")


def _elsewhere(ref: str, path: Path) -> Image:
    """An image that only nodes may have. What this machine does not see, it cannot judge; a slip it can."""
    if _would_be_here(path):
        hint = (
            f" An image of a registry is written docker://{ref}."
            if _NAME.fullmatch(ref) and not ref.endswith(".sif")
            else ""
        )
        raise UsageError(f"--image {ref}: there is no such file or folder.{hint}")
    kind = (
        SIF if path.suffix in (".sif", ".simg") else ARCHIVE if path.suffix == ".tar" else SANDBOX
    )
    return Image(ref, kind, f"oci-archive:{path}" if kind == ARCHIVE else str(path), seen=False)


def _would_be_here(path: Path) -> bool:
    """Whether the disk that the image should be on is here: its folder is, or the repository on CVMFS."""
    parts = path.parts
    return (
        Path(*parts[:3]).is_dir()
        if parts[1:2] == ("cvmfs",) and len(parts) > 3
        else path.parent.is_dir()
    )


def looks_like_root(path: Path) -> bool:
    """Whether a folder holds a root file system."""
    return all((path / name).exists() or (path / name).is_symlink() for name in ("bin", "usr"))


def read_archive(path: Path) -> dict[str, Any] | None:
    """Return transport, digest and ident of the image in an archive that podman or docker saved; None if it is no archive."""
    import tarfile

    try:
        with tarfile.open(path, "r:") as archive:
            names = set(archive.getnames())
            if "index.json" in names:
                return _oci(archive)
            return _docker(archive) if "manifest.json" in names else None
    except (tarfile.TarError, OSError, KeyError, ValueError, TypeError, IndexError, RecursionError):
        return None


def _oci(archive: tarfile.TarFile) -> dict[str, Any]:
    digest = _json(archive, "index.json")["manifests"][0]["digest"]
    config = _json(archive, f"blobs/{digest.replace(':', '/')}")["config"]["digest"]
    return {"transport": "oci-archive", "digest": digest, "ident": _hex(config)}


def _docker(archive: tarfile.TarFile) -> dict[str, Any]:
    config = (
        str(_json(archive, "manifest.json")[0]["Config"]).removesuffix(".json").rpartition("/")[2]
    )
    return {
        "transport": "docker-archive",
        "digest": f"sha256:{_hex(config)}",
        "ident": _hex(config),
    }


def _hex(digest: str) -> str:
    found = re.fullmatch(r"(?:sha256:)?([0-9a-f]{64})", digest)
    if not found:
        raise ValueError(digest)
    return found[1]


def _json(archive: tarfile.TarFile, name: str) -> Any:
    file = archive.extractfile(name)
    return json.loads(file.read(MEMBER_BYTES)) if file else None


def parse_bind(text: str) -> Bind:
    """Return the bind that `SRC`, `SRC:DST`, `SRC:ro` or `SRC:DST:ro` means. Raises UsageError."""
    source, *rest = text.split(":")
    readonly = rest[-1:] == ["ro"]
    rest = [part for part in (rest[:-1] if rest[-1:] in (["ro"], ["rw"]) else rest) if part]
    source = str(home.user_path(source))
    if len(rest) > 1 or not all(_BINDABLE.fullmatch(part) for part in (source, *rest)):
        raise UsageError(
            f"--bind {text!r}: write SRC, SRC:DST or SRC:DST:ro, with whole paths, like /data/jets:/data:ro."
        )
    return Bind(source, rest[0] if rest else source, readonly)
