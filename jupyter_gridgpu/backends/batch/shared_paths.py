"""Which files nodes see although they do not see the scan's folder: those of `--shared`.

One rule for all backends: what lies below a folder of --shared is used where it lies, and what lies
elsewhere travels with the jobs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from jupyter_gridgpu.model.records import SharedFile
from jupyter_gridgpu.store.shared_paths import place_on_nodes


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
