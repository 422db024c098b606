"""What may lie at the name of a file instead of a file."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

SECRET = "secret"
SPARSE_BYTES = 4 * 2**30  # far more than any reader takes; a runner hashes it all


def _secret(path: Path) -> None:
    (path.parent / "secret").write_text(SECRET)
    path.symlink_to("secret")


def _socket(path: Path) -> None:
    os.mknod(path, stat.S_IFSOCK | 0o600)  # unlike bind(), this takes a path of any length


def _sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, SPARSE_BYTES)


ODD_FILES: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "secret": _secret,
    "socket": _socket,
    "folder": Path.mkdir,
    "sparse": _sparse,
}


def make_odd(path: Path, kind: str) -> None:
    """Put something of this kind at a path, whatever was there before."""
    if path.exists() or path.is_symlink():
        path.unlink()
    ODD_FILES[kind](path)
