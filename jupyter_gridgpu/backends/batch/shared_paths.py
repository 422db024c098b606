"""Which files nodes see although they do not see the scan's folder: those of `--shared`.

One rule for all backends: what lies below a folder of --shared is used where it lies, and what lies
elsewhere travels with the jobs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from jupyter_gridgpu.model.records import SharedFile


def place_on_nodes(path: str | Path, folders: Sequence[str]) -> str | None:
    """Return the path at which nodes see a file or folder of this machine, or None.

    `folders` are those that nodes see, as whole paths. A link counts as what it leads to: from
    elsewhere into such a folder it is followed, and from there to elsewhere it is not seen.
    """
    whole, real = os.path.abspath(path), os.path.realpath(path)
    for folder in folders:
        root = os.path.realpath(folder)
        if not _is_below(real, root):
            continue
        if _is_below(whole, folder):
            return whole
        return folder + real[len(root) :]
    return None


def files_on_nodes(files: Mapping[str, Path], folders: Sequence[str]) -> dict[str, SharedFile]:
    """Return the helper files that nodes see, by the name that each gets beside the notebook.

    `files` are helper files and folders by this name. Of a folder, each file counts for itself.
    """
    found: dict[str, SharedFile] = {}
    for name, path in files.items() if folders else ():
        for part_name, part in _parts(name, path):
            place = place_on_nodes(part, folders)
            if place is not None:
                found[part_name] = {"path": place, "size": part.stat().st_size}
    return found


def _parts(name: str, path: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of a helper file or folder, each with its name beside the notebook."""
    if not path.is_dir():
        yield name, path
        return
    for part in sorted(path.rglob("*")):
        if part.is_file():
            yield f"{name}/{part.relative_to(path).as_posix()}", part


def _is_below(path: str, folder: str) -> bool:
    """Return whether a path is a folder, or lies in it."""
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")
