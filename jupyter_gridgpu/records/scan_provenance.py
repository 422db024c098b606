"""Writes the provenance that is known when a scan starts, into the scan's folder.

`provenance.json` holds the command, the host, the state of the git repository, and the digests of
everything that the jobs are made of. Jobs write their own provenance when they run.
"""

from __future__ import annotations

import os
import platform
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import jupyter_gridgpu
from jupyter_gridgpu import images
from jupyter_gridgpu.backends.batch.shared_paths import files_on_nodes
from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.model.space import Axis, Choice, Fixed
from jupyter_gridgpu.planning.request import Plan
from jupyter_gridgpu.records.git_state import git_state
from jupyter_gridgpu.store.manifest import Digests, digest, digests
from jupyter_gridgpu.store.opener import create_plain
from jupyter_gridgpu.store.paths import ScanPaths, write_json
from jupyter_gridgpu.worker.packing import pack

FORMAT = 1
COMMAND_LIMIT = 20_000  # characters
# The most bytes of data files that are read for digests. For further files only the size and the
# time of the last change are kept, since reading them would delay the start of the scan.
DATA_BYTES = 256 * 1024 * 1024
PATH_LIMIT = 500  # characters; a longer text is no name of a file


def complete_folder(
    plan: Plan, scan: ScanSpec, fill: Callable[[ScanPaths], object] | None, paths: ScanPaths
) -> None:
    """Write worker, launcher, points, shared files and provenance into the folder of a new scan.

    `scan` is the plan's scan with its final name. `fill` adds more files at the end. Raises
    OSError.
    """
    pack(paths.worker)
    create_plain(paths.launcher, images.launcher_text(scan).encode())
    if plan.points:
        create_plain(paths.points, plan.points.encode())
    if plan.earlier:
        create_plain(paths.earlier, plan.earlier.encode())
    seen = files_on_nodes(plan.files, scan.placement.shared_paths)
    if seen:
        write_json(paths.shared_files, {"files": seen})
    # Provenance comes after all files that jobs are made of, because it holds their digests.
    write_provenance(paths, replace(plan, scan=scan))
    if fill is not None:
        fill(paths)


def write_provenance(paths: ScanPaths, plan: Plan) -> None:
    """Write provenance.json into a folder that is complete otherwise. Raises OSError."""
    folder = plan.notebook.path.parent
    git = plan.git
    if git is None:
        git = git_state(folder, plan.notebook.path.name)
    body: dict[str, Any] = {
        "format": FORMAT,
        "gridgpu": jupyter_gridgpu.__version__,
        "time": time.time(),
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "command": plan.command[:COMMAND_LIMIT],
        "git": git,
        # Values that somebody else chose name no file that is read here.
        "data": {} if plan.foreign else data_files(plan.scan, folder),
        "inputs": input_digests(paths),
    }
    if plan.scan.warm_start:
        body["warm_start"] = [asdict(earlier) for earlier in plan.scan.warm_start]
    write_json(paths.provenance, numbers.encode_all(body))


def input_digests(paths: ScanPaths) -> Digests:
    """Return the digests of all files of a scan's folder that its jobs are made of."""
    always = (paths.spec, paths.notebook, paths.worker, paths.launcher)
    files = [*always, paths.points, paths.earlier, *copied_helper_files(paths)]
    return digests(paths.folder, [file.relative_to(paths.folder).as_posix() for file in files])


def copied_helper_files(paths: ScanPaths) -> list[Path]:
    """Return the plain files that were copied into the scan's folder along with the notebook."""
    return sorted(
        path for path in paths.files.rglob("*") if path.is_file() and not path.is_symlink()
    )


def data_files(scan: ScanSpec, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return what is known of the data files that parameters name, by parameter.

    Jobs read such files where they are; the scan keeps no copy. `folder` is the notebook's folder,
    which relative names count from. Each file has its path, size (bytes), time of the last change
    and, within DATA_BYTES, its digest. Raises OSError if a file vanishes in between.
    """
    found = {}
    budget = DATA_BYTES
    for name, axis in scan.space.axes.items():
        files = []
        for path in _readable_files(_listed_values(axis), folder):
            stat = path.stat()
            about: dict[str, Any] = {
                "path": str(path),
                "size": stat.st_size,
                "changed": stat.st_mtime,
            }
            budget -= stat.st_size
            if budget >= 0:
                about["sha256"] = digest(path.parent, path.name)[0]
            files.append(about)
        if files:
            found[name] = files
    return found


def _listed_values(axis: Axis) -> Iterable[Any]:
    """Return the values that an axis lists. A range of numbers lists none."""
    if isinstance(axis, Fixed):
        return [axis.value]
    if isinstance(axis, Choice):
        return axis.values
    return ()


def _readable_files(values: Iterable[Any], folder: Path) -> Iterator[Path]:
    """Yield the values that name a file, as the path of this file."""
    for value in values:
        if not isinstance(value, str) or not 0 < len(value) <= PATH_LIMIT:
            continue
        try:
            path = (folder / value).resolve()
            readable = path.is_file() and os.access(path, os.R_OK)
        except (OSError, ValueError, RuntimeError):
            # The value of a parameter may be any text. These calls fail, for instance, for a text
            # with a null byte, or for a path through a circle of links.
            continue
        if readable:
            yield path
