"""The sandbox: the archive that travels to the jobs of a batch.

It holds the worker, the launcher, the notebook and its files, and a table of what each job runs.
The same content makes the same bytes, so that PanDA recognises an archive that it has already.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from jupyter_gridgpu.backends.panda.task_map import SCRIPT
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.store.opener import open_new, open_users, read_bounded
from jupyter_gridgpu.store.paths import SPEC_BYTES, ScanPaths, load_json

LIMIT = 10 * 1024 * 1024  # bytes of such an archive that PanDA takes
OWN_BYTES = 300_000  # bytes of the archive that are kept free for worker and table
NAMED_FILES = 3  # how many files the error names that could be left out
FILE_BYTES = 1 << 30  # of one file; PanDA takes far less of all together
READ_BYTES = 1 << 20
RUN = """\
#!/bin/sh
# Runs task $1 of the batch that lies here.
command -v python3 >/dev/null 2>&1 || \
{ echo "ERROR: There is no python3 where the job runs." >&2; exit 74; }
exec python3 worker.pyz grid "$1"
"""


def pack(
    paths: ScanPaths, tasks: Sequence[Sequence[str]], target: Path, private: Mapping[str, Path] = {}
) -> int:
    """Write the sandbox of a batch into `target` and return its size in bytes.

    `private` are files of the user's settings by their names in the archive: the one with which
    jobs send metrics, see docs/channels.md, and the secrets of the scan. They may be missing.
    Raises BackendError if the sandbox is too large, OSError.
    """
    # Line N of the table holds the jobs of the task with sequence number N.
    table = "".join(_table_line(paths, keys) for keys in tasks)
    files = _files_below(paths.files)
    target.unlink(missing_ok=True)
    with (
        open_new(target) as file,
        # A time stamp would make other bytes out of the same content.
        gzip.GzipFile("", "wb", 6, file, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as archive,
    ):
        _add(archive, SCRIPT, RUN.encode())
        _add(archive, "jobs.jsonl", table.encode())
        for path in (paths.worker, paths.launcher, paths.notebook):
            _add(archive, path.name, read_bounded(path, FILE_BYTES))
        for name, path in private.items():
            if path.is_file():
                _add(archive, name, read_bounded(path, FILE_BYTES), 0o600)
        for name, path in sorted(files.items()):
            _add(archive, f"files/{name}", read_bounded(path, FILE_BYTES), _mode(path))
    size = target.stat().st_size
    if size > LIMIT:
        raise BackendError(_too_large(size, files))
    return size


def check(files: Mapping[str, Path]) -> None:
    """Raise BackendError, with what to leave out, if helper files do not fit into a sandbox.

    `files` maps the name that a file or folder gets beside the notebook to its path here.
    """
    found: dict[str, Path] = {}
    for name, top in files.items():
        if top.is_dir():
            found.update({f"{name}/{inner}": path for inner, path in _files_below(top).items()})
        else:
            found[name] = top
    # Packing takes time, and most files are small enough as they are.
    if sum(path.stat().st_size for path in found.values()) <= LIMIT - OWN_BYTES:
        return
    size = sum(_packed_size(path) for path in found.values())
    if size > LIMIT - OWN_BYTES:
        raise BackendError(_too_large(size, found))


def _files_below(folder: Path) -> dict[str, Path]:
    """Return the plain files of a folder by their names in it; none if there is no such folder.

    A link to a file counts as that file.
    """
    if not folder.is_dir():
        return {}
    paths = sorted(folder.rglob("*"))
    return {path.relative_to(folder).as_posix(): path for path in paths if path.is_file()}


def _packed_size(path: Path) -> int:
    """Return about how many bytes of the archive a file takes."""
    sink = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=sink, mode="wb", compresslevel=1) as stream,
        open_users(path) as file,
    ):
        while piece := file.read(READ_BYTES):
            stream.write(piece)
            # The file alone is too large, so the rest need not be packed.
            if sink.tell() > LIMIT:
                return max(sink.tell(), path.stat().st_size)
    return sink.tell()


def _table_line(paths: ScanPaths, keys: Sequence[str]) -> str:
    specs = [load_json(paths.job(key).spec, SPEC_BYTES) for key in keys]
    return json.dumps(specs, separators=(",", ":")) + "\n"


def _add(archive: tarfile.TarFile, name: str, data: bytes, mode: int = 0o644) -> None:
    """Add a file without owner and time, which differ from machine to machine."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mode = mode
    info.mtime = 0
    archive.addfile(info, io.BytesIO(data))


def _mode(path: Path) -> int:
    return 0o755 if os.access(path, os.X_OK) else 0o644


def _too_large(size: int, files: Mapping[str, Path]) -> str:
    """Return an error text that says that the sandbox is too large and names the largest files."""
    by_size = sorted(files.items(), key=lambda item: item[1].stat().st_size, reverse=True)
    largest = by_size[:NAMED_FILES]
    names = ", ".join(f"{name} ({path.stat().st_size / 1e6:.1f} MB)" for name, path in largest)
    return (
        f"What would go along with the jobs has {size / 1e6:.1f} MB, and PanDA takes "
        f"{LIMIT / 1e6:.1f}: leave out of --files what is large, like {names}, and put it into a "
        "dataset (--in) or the image."
    )
