"""Helper files that a node sees where they lie, so that they did not travel with the job.

`shared-files.json` in the scan folder lists them; see `--shared`.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from jupyter_gridgpu.store.paths import ScanPaths, read_json

LIST_BYTES = 64_000_000


class SharedFileProblem(Exception):
    """A file that a node should see is not there, or is not as it was; the text says which."""


def shared_places(scan: ScanPaths) -> dict[Path, Path]:
    """Return where helper files lie that did not travel, by their names beside the notebook.

    Raises SharedFileProblem.
    """
    body = read_json(scan.shared_files, LIST_BYTES)
    files = body.get("files") if isinstance(body, dict) else None
    places = {}
    for name, about in files.items() if isinstance(files, dict) else ():
        path = about.get("path") if isinstance(about, dict) else None
        # A file that travelled, or a scan folder that is here, is better than the original.
        if isinstance(path, str) and _is_inside(name) and not os.path.lexists(scan.files / name):
            _check(path, about.get("size"))
            places[Path(name)] = Path(path)
    return places


def _is_inside(name: str) -> bool:
    """Return whether a name leads to a place beside the notebook or below."""
    parts = name.split("/")
    return not any(part in ("", ".", "..") for part in parts) and "\0" not in name


def _check(path: str, size: object) -> None:
    """Raise SharedFileProblem if a file is not there, or has another size."""
    try:
        about = os.stat(path)
    except (OSError, ValueError):
        raise SharedFileProblem(f"The node does not see {path}, which --shared promises.") from None
    if not stat.S_ISREG(about.st_mode) or about.st_size != size:
        raise SharedFileProblem(f"{path} was changed after the scan was started.")
