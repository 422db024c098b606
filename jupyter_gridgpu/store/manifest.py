"""The manifest: the digests of the files that jobs left, one job a line.

The runner appends the line of a job when the job has ended. `gridgpu verify` compares the digests
with the files.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path

from jupyter_gridgpu.model.records import ManifestLine
from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.opener import APPEND, open_plain, opener_below, plain_handle
from jupyter_gridgpu.store.paths import COPY_NAME, ScanPaths, read_json
from jupyter_gridgpu.store.tail import read_lines

CHUNK = 1024 * 1024
RESULT_BYTES = 1_000_000
# The key of the line for the scan itself, which holds the digest of the scan's provenance.
SCAN_KEY = ""
Digests = dict[str, tuple[str, int]]  # path in the scan folder -> SHA-256 (hexadecimal), bytes


def digest(root: Path, name: str) -> tuple[str, int]:
    """Return SHA-256 and size of the plain file `name` below a scan folder.

    Raises OSError, also for a link or a pipe.
    """
    found, size = hashlib.sha256(), 0
    with open_plain(root / name, opener_below(root)) as file:
        while data := file.read(CHUNK):
            found.update(data)
            size += len(data)
    return found.hexdigest(), size


def digests(root: Path, names: Iterable[str]) -> Digests:
    """Return the digests of those files that can be read."""
    found: Digests = {}
    for name in names:
        try:
            found[name] = digest(root, name)
        except OSError:
            continue
    return found


def job_files(paths: ScanPaths, key: str) -> list[str]:
    """Return the files of an ended job that do not change any more, relative to the scan folder.

    These are the files of the copy whose result counts, whether they are there or not.
    """
    job = paths.job(key)
    files = [job.spec]
    body = read_json(job.result, limit=RESULT_BYTES)
    # Another copy of the job may still be running, and so may a job that was given up without a
    # result: their files still change.
    if isinstance(body, dict):
        name = body.get("copy")
        if isinstance(name, str) and COPY_NAME.fullmatch(name):
            copy = job.copy(name)
            files += [job.result, copy.result, copy.notebook, copy.metrics, copy.provenance]
    return [file.relative_to(paths.folder).as_posix() for file in files]


class ManifestWriter:
    """Appends lines to the manifest.

    A line that a full disk does not take is written when the next runner starts.
    """

    def __init__(self, paths: ScanPaths) -> None:
        self._paths = paths
        self._known = set(read(paths.manifest))

    def add(self, keys: Iterable[str]) -> None:
        """Write the digests of ended jobs that are not in the manifest yet. Raises OSError."""
        new = [key for key in keys if key not in self._known]
        if SCAN_KEY not in self._known:
            self._append(SCAN_KEY, digests(self._paths.folder, [self._paths.provenance.name]))
        for key in new:
            self._append(key, digests(self._paths.folder, job_files(self._paths, key)))

    def _append(self, key: str, files: Digests) -> None:
        """Append one line to the file. Raises OSError."""
        body: ManifestLine = {"key": key, "t": round(time.time(), 3), "files": files}
        line = json.dumps(body, separators=(",", ":")).encode() + b"\n"
        handle = plain_handle(self._paths.manifest, APPEND)
        try:
            # A runner that was killed may have left a line without its end. Ours must not become
            # a part of it.
            size = os.fstat(handle).st_size
            if size > 0 and os.pread(handle, 1, size - 1) != b"\n":
                line = b"\n" + line
            os.write(handle, line)
        finally:
            os.close(handle)
        self._known.add(key)


def read(path: Path) -> dict[str, Digests]:
    """Return the digests in a manifest, by the key of the job.

    A line that is torn or foreign is skipped. If a job has two lines, the last one counts.
    """
    found: dict[str, Digests] = {}
    opener = opener_below(path.parent)
    cursor = 0
    while True:
        before = cursor
        try:
            lines, cursor = read_lines(path, cursor, opener)
        except OSError:
            return found
        for line in lines:
            parsed = _parse(line)
            if parsed is not None:
                key, files = parsed
                found[key] = files
        if cursor == before:
            return found


def _parse(line: bytes) -> tuple[str, Digests] | None:
    """Return the key and the digests in a line, or None if the line is torn or foreign."""
    try:
        body = parse_json(line)
        files = {str(name): (str(sha), int(size)) for name, (sha, size) in body["files"].items()}
        return str(body["key"]), files
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
