"""Where nodes see a path of this machine, if they share a part of its disks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def place_on_nodes(path: str | Path, folders: Sequence[str]) -> str | None:
    """Return the path at which nodes see a file or folder of this machine, or None.

    `folders` are those that nodes see, as whole paths. A link counts as what it leads to: from
    elsewhere into such a folder it is followed, and from there to elsewhere it is not seen.
    """
    whole, real = os.path.abspath(path), os.path.realpath(path)
    for folder in folders:
        root = os.path.realpath(folder)
        if not is_below(real, root):
            continue
        if is_below(whole, folder):
            return whole
        return folder + real[len(root) :]
    return None


def is_below(path: str, folder: str) -> bool:
    """Return whether a path is a folder, or lies in it."""
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")
