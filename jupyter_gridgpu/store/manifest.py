"""The manifest: digests of what jobs left, one job a line, appended by the runner when a job has ended."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path

from jupyter_gridgpu.store.opener import opener_below
from jupyter_gridgpu.store.paths import COPY_NAME, ScanPaths, read_json
from jupyter_gridgpu.store.tail import read_lines

CHUNK = 1024 * 1024
START = ""  # the key of the line that holds the scan's own provenance
Digests = dict[str, tuple[str, int]]  # path in the scan folder -> SHA-256, bytes


def digest(root: Path, name: str) -> tuple[str, int]:
    """Return SHA-256 and size of a plain file below a scan folder. Raises OSError, for a link or a pipe too."""
    found, size = hashlib.sha256(), 0
    with open(root / name, "rb", buffering=0, opener=opener_below(root)) as file:
        while data := file.read(CHUNK):
            found.update(data)
            size += len(data)
    return found.hexdigest(), size


def digests(root: Path, names: Iterable[str]) -> Digests:
    """Return the digests of those files that are there."""
    found: Digests = {}
    for name in names:
        try:
            found[name] = digest(root, name)
        except OSError:
            continue
    return found


def job_files(paths: ScanPaths, key: str) -> list[str]:
    """Return the files of a job that do not change any more: of the copy whose result counts.

    Another copy may still be running, and so may a job that was given up without a result.
    """
    job = paths.job(key)
    body = read_json(job.result, limit=1_000_000)
    copy = body.get("copy") if isinstance(body, dict) else None
    files = [job.spec]
    if isinstance(copy, str) and COPY_NAME.fullmatch(copy):
        made = job.copy(copy)
        files += [job.result, made.result, made.notebook, made.metrics, made.provenance]
    return [file.relative_to(paths.folder).as_posix() for file in files]


class ManifestWriter:
    """Appends lines; what a full disk does not take is written when the next runner catches up."""

    def __init__(self, paths: ScanPaths) -> None:
        self._paths = paths
        self._known = set(read(paths.manifest))

    def add(self, keys: Iterable[str]) -> None:
        """Write the digests of jobs that have ended, those that were not written yet. Raises OSError."""
        new = [key for key in keys if key not in self._known]
        if START not in self._known:
            self._append(START, digests(self._paths.folder, [self._paths.provenance.name]))
        for key in new:
            self._append(key, digests(self._paths.folder, job_files(self._paths, key)))

    def _append(self, key: str, files: Digests) -> None:
        line = json.dumps(
            {"key": key, "t": round(time.time(), 3), "files": files}, separators=(",", ":")
        )
        handle = os.open(
            self._paths.manifest, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        try:
            size = os.fstat(handle).st_size
            torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            os.write(handle, (b"\n" if torn else b"") + line.encode() + b"\n")
        finally:
            os.close(handle)
        self._known.add(key)


def read(path: Path) -> dict[str, Digests]:
    """Return the digests by job; of a job that is there twice, the last. A torn or foreign line is skipped."""
    found: dict[str, Digests] = {}
    cursor = -1
    after = 0
    while cursor != after:
        cursor = after
        try:
            lines, after = read_lines(path, cursor, opener_below(path.parent))
        except OSError:
            return found
        for line in lines:
            if (parsed := _parsed(line)) is not None:
                found[parsed[0]] = parsed[1]
    return found


def _parsed(line: bytes) -> tuple[str, Digests] | None:
    try:
        body = json.loads(line)
        return str(body["key"]), {
            str(name): (str(sha), int(size)) for name, (sha, size) in body["files"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
