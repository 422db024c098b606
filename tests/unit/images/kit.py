"""Images as small as they can be: they have only what our checks look at."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

CONFIG, MANIFEST = "c" * 64, "d" * 64


def sandbox(folder: Path) -> Path:
    """Make an unpacked image."""
    for name in ("bin", "usr"):
        (folder / name).mkdir(parents=True)
    return folder


def sif(path: Path, body: bytes = b"") -> Path:
    """Make a SIF: a header with script, magic, versions and UUID, then the body."""
    path.write_bytes(
        b"#!/usr/bin/env run-singularity\n".ljust(32, b"\0")
        + b"SIF_MAGIC\0"
        + b"01\0"
        + b"02\0"
        + bytes(range(16))
        + body
    )
    return path


def archive(path: Path, files: dict[str, object]) -> Path:
    """Make a tar archive with JSON files."""
    with tarfile.open(path, "w") as tar:
        for name, body in files.items():
            source = path.with_name("member")
            source.write_text(json.dumps(body))
            tar.add(source, name)
    return path


def oci(path: Path) -> Path:
    """Make an OCI archive, as podman saves it."""
    files = {
        "index.json": {"manifests": [{"digest": f"sha256:{MANIFEST}"}]},
        f"blobs/sha256/{MANIFEST}": {"config": {"digest": f"sha256:{CONFIG}"}},
    }
    return archive(path, files)
