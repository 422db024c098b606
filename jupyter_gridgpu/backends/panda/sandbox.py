"""The archive that travels to the jobs of a batch: worker, notebook, its files, and the table of what each job runs.

The same content makes the same bytes, so that PanDA recognises one that it has already.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from jupyter_gridgpu.backends.panda.task_map import SCRIPT
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.store.paths import ScanPaths

LIMIT = 10 * 1024 * 1024  # PanDA's, for such an archive
OWN = 300_000  # what of it the worker and the table may take
NAMED = 3
RUN = """\
#!/bin/sh
# Runs task $1 of the batch that lies here.
command -v python3 >/dev/null 2>&1 || { echo "There is no python3 where the job runs." >&2; exit 74; }
exec python3 worker.pyz grid "$1"
"""


def pack(
    paths: ScanPaths, tasks: Sequence[Sequence[str]], target: Path, sender: Path | None = None
) -> int:
    """Write the archive of a batch and return its size. Raises EngineError if it is too large, OSError.

    `sender` is what jobs need to send metrics while they run, if that is there; see docs/channels.md.
    """
    table = "".join(_line(paths, keys) for keys in tasks)
    shipped = dict(_files(paths.files))
    with (
        open(target, "wb") as file,
        gzip.GzipFile("", "wb", 6, file, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as archive,
    ):
        for name, data in ((SCRIPT, RUN.encode()), ("jobs.jsonl", table.encode())):
            _add(archive, name, data)
        for path in (paths.worker, paths.launcher, paths.notebook):
            _add(archive, path.name, path.read_bytes())
        if sender is not None and sender.is_file():
            _add(archive, paths.sender.name, sender.read_bytes())
        for name, path in sorted(shipped.items()):
            _add(archive, f"files/{name}", path.read_bytes())
    size = target.stat().st_size
    if size > LIMIT:
        raise BackendError(_too_large(size, shipped))
    return size


def check(files: Mapping[str, Path]) -> None:
    """Raise EngineError if helper files (name beside the notebook -> path) are more than fits, with what to drop."""
    found = {f"{name}{inner}": path for name, top in files.items() for inner, path in _walk(top)}
    if sum(path.stat().st_size for path in found.values()) <= LIMIT - OWN:
        return
    size = sum(map(_packed, found.values()))
    if size > LIMIT - OWN:
        raise BackendError(_too_large(size, found))


def _walk(top: Path) -> Iterable[tuple[str, Path]]:
    return [(f"/{inner}", path) for inner, path in _files(top)] if top.is_dir() else [("", top)]


def _files(folder: Path) -> Iterable[tuple[str, Path]]:
    """Plain files of a folder, by their name in it; links are sent as what they point to."""
    paths = sorted(folder.rglob("*")) if folder.is_dir() else []
    return [(path.relative_to(folder).as_posix(), path) for path in paths if path.is_file()]


def _packed(path: Path) -> int:
    """How much of the archive a file takes."""
    sink = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=sink, mode="wb", compresslevel=1) as stream,
        open(path, "rb") as file,
    ):
        while piece := file.read(1 << 20):
            stream.write(piece)
            if sink.tell() > LIMIT:
                return max(sink.tell(), path.stat().st_size)
    return sink.tell()


def _line(paths: ScanPaths, keys: Sequence[str]) -> str:
    specs = [json.loads(paths.job(key).spec.read_text(encoding="utf-8")) for key in keys]
    return json.dumps(specs, separators=(",", ":")) + "\n"


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = len(data), 0o644, 0
    archive.addfile(info, io.BytesIO(data))


def _too_large(size: int, files: Mapping[str, Path]) -> str:
    largest = sorted(files.items(), key=lambda item: item[1].stat().st_size, reverse=True)[:NAMED]
    named = ", ".join(f"{name} ({path.stat().st_size / 1e6:.1f} MB)" for name, path in largest)
    return (
        f"What would go along with the jobs has {size / 1e6:.1f} MB, and PanDA takes {LIMIT / 1e6:.1f}: leave out of --files"
        f" what is large, like {named}, and put it into a dataset (--in) or the image."
    )
