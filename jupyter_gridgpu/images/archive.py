"""Archives of images, as `podman save` and `docker save` write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.opener import open_users

if TYPE_CHECKING:
    import tarfile

MEMBER_LIMIT_BYTES = 4_000_000  # of a JSON file in an archive


@dataclass(frozen=True)
class ImageArchive:
    """What tells the image in an archive from others.

    `transport` is how podman is told to read the archive. `digest` is that of the manifest for an
    OCI archive, and that of the configuration for an archive of `docker save`, which has none.
    `image_id` is the digest of the configuration without `sha256:`: podman's name of the image.
    """

    transport: str
    digest: str
    image_id: str


def read_archive(path: Path) -> ImageArchive | None:
    """Return what an archive says of its image, or None if the file is no archive of one."""
    # tarfile is imported only for archives, since most images are none.
    import tarfile

    try:
        with open_users(path) as file, tarfile.open(fileobj=file, mode="r:") as archive:
            names = set(archive.getnames())
            # Newer versions of docker write both files, and index.json says more.
            if "index.json" in names:
                return _oci_archive(archive)
            if "manifest.json" in names:
                return _docker_archive(archive)
            return None
    # A file with these names may hold anything: what does not fit is no archive of an image.
    except (tarfile.TarError, OSError, KeyError, ValueError, TypeError, IndexError):
        return None


def _oci_archive(archive: tarfile.TarFile) -> ImageArchive:
    manifest_digest = _json(archive, "index.json")["manifests"][0]["digest"]
    manifest = _json(archive, f"blobs/{manifest_digest.replace(':', '/')}")
    config_digest = manifest["config"]["digest"]
    return ImageArchive("oci-archive", manifest_digest, _hex_of(config_digest))


def _docker_archive(archive: tarfile.TarFile) -> ImageArchive:
    # The configuration is a file that is named by its digest: 12ab....json or blobs/sha256/12ab...
    config_name = str(_json(archive, "manifest.json")[0]["Config"])
    image_id = _hex_of(config_name.removesuffix(".json").rpartition("/")[2])
    return ImageArchive("docker-archive", f"sha256:{image_id}", image_id)


def _hex_of(digest: str) -> str:
    """Return the 64 digits of a SHA-256 digest. Raises ValueError if there are none."""
    found = re.fullmatch(r"(?:sha256:)?([0-9a-f]{64})", digest)
    if found is None:
        raise ValueError(digest)
    return found[1]


def _json(archive: tarfile.TarFile, name: str) -> Any:
    file = archive.extractfile(name)
    if file is None:  # a folder or a device
        return None
    return parse_json(file.read(MEMBER_LIMIT_BYTES))
