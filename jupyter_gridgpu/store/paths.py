"""Every file name of a scan folder, in one place."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COPY_NAME = re.compile(r"[a-z0-9]{1,32}")


@dataclass(frozen=True)
class ScanPaths:
    """The files of one scan."""

    folder: Path

    @property
    def spec(self) -> Path:
        return self.folder / "scan.json"

    @property
    def notebook(self) -> Path:
        return self.folder / "notebook.ipynb"

    @property
    def files(self) -> Path:
        return self.folder / "files"

    @property
    def worker(self) -> Path:
        """The packed worker: the very code that ran the scan's jobs."""
        return self.folder / "worker.pyz"

    @property
    def launcher(self) -> Path:
        """The script that finds the container on a node and runs the worker in it."""
        return self.folder / "worker.sh"

    @property
    def image_mark(self) -> Path:
        """Which image the scan's first job ran in; written by its worker."""
        return self.folder / "image.mark"

    @property
    def batches(self) -> Path:
        """What was handed to a batch system in one call, a folder each."""
        return self.folder / "batches"

    @property
    def provenance(self) -> Path:
        """Where the scan comes from: who asked for it how, and the digests of all that went into it. Immutable."""
        return self.folder / "provenance.json"

    @property
    def points(self) -> Path:
        """The variants of a scan whose points were given; one a line. Immutable."""
        return self.folder / "points.jsonl"

    @property
    def manifest(self) -> Path:
        """Digests of what jobs left, one job a line; only the runner writes."""
        return self.folder / "manifest.jsonl"

    @property
    def journal(self) -> Path:
        return self.folder / "journal.jsonl"

    @property
    def checkpoint(self) -> Path:
        """The fold of a long journal; a cache."""
        return self.folder / "checkpoint.json"

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    @property
    def jobs(self) -> Path:
        return self.folder / "jobs"

    @property
    def arrived(self) -> Path:
        """What came of jobs while they ran elsewhere, in folders like those of `jobs`; only the runner writes."""
        return self.folder / "arrived"

    @property
    def sender(self) -> Path:
        """What jobs need to send metrics, where files travel with them; never in the folder that the user has."""
        return self.folder / "sender.json"

    @property
    def lock(self) -> Path:
        return self.folder / "runner.lock"

    @property
    def log(self) -> Path:
        return self.folder / "runner.log"

    def job(self, key: str) -> JobPaths:
        return JobPaths(self.jobs / key)

    def arrival(self, key: str) -> JobPaths:
        return JobPaths(self.arrived / key)


@dataclass(frozen=True)
class JobPaths:
    """The files of one attempt; each copy that an engine starts of it has a folder of its own inside."""

    folder: Path

    @property
    def spec(self) -> Path:
        return self.folder / "job.json"

    @property
    def result(self) -> Path:
        return self.folder / "result.json"

    @property
    def claim(self) -> Path:
        """Who runs the attempt on this machine (local backend)."""
        return self.folder / "claim.json"

    @property
    def log(self) -> Path:
        """What a worker said before it had a copy folder."""
        return self.folder / "launch.log"

    @property
    def stop(self) -> Path:
        """There once the job is to end; the worker looks for it."""
        return self.folder / "stop"

    def copy(self, name: str) -> CopyPaths:
        return CopyPaths(self.folder / name)

    def copies(self) -> list[CopyPaths]:
        """The copies there are, oldest first."""
        try:
            entries = [
                entry
                for entry in os.scandir(self.folder)
                if COPY_NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
            ]
        except OSError:  # not there, or on a disk that does not answer now
            return []
        return sorted((CopyPaths(Path(entry.path)) for entry in entries), key=CopyPaths.made)


@dataclass(frozen=True)
class CopyPaths:
    """The files of one copy; only its worker writes them."""

    folder: Path

    @property
    def about(self) -> Path:
        """Where the copy runs: host, engine, GPUs; written first, and once."""
        return self.folder / "copy.json"

    def made(self) -> float:
        """When the copy began; of one that has not said so, when its folder last changed."""
        for path in (self.about, self.folder):
            with contextlib.suppress(OSError):
                return path.stat().st_mtime
        return 0.0

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics.jsonl"

    @property
    def result(self) -> Path:
        return self.folder / "result.json"

    @property
    def notebook(self) -> Path:
        return self.folder / "output.ipynb"

    @property
    def provenance(self) -> Path:
        """What the copy ran with."""
        return self.folder / "provenance.json"

    @property
    def log(self) -> Path:
        return self.folder / "worker.log"


def scratch_folder(copy: str) -> Path:
    """Where a copy keeps what lives only as long as it does: on its node, with a short name."""
    return Path("/tmp" if os.access("/tmp", os.W_OK) else tempfile.gettempdir()) / f"gridgpu-{copy}"


def write_atomic(path: Path, text: str) -> None:
    """Write a file so that readers see the old or the whole new text, never a part."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_json(path: Path, body: Any) -> None:
    write_atomic(path, json.dumps(body, indent=1))


def read_json(path: Path, limit: int = 4_000_000) -> Any:
    """Return the JSON in a file of at most `limit` bytes, or None if it is missing, larger or not JSON."""
    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
        return json.loads(data) if len(data) <= limit else None
    except (OSError, ValueError, RecursionError):
        return None


def publish(source: Path, target: Path) -> bool:
    """Give `source` the name `target` unless that exists already; whether this call did. The first one wins."""
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    except OSError:
        return _publish_a_copy(source, target)
    return True


def _publish_a_copy(source: Path, target: Path) -> bool:
    """Publish where there are no links across folders, as on AFS: never half a file, whenever this process is killed."""
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        part.write_bytes(source.read_bytes())
        os.link(part, target)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        return _publish_by_create(source, target)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return True


def _publish_by_create(source: Path, target: Path) -> bool:
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(source.read_bytes())
    except OSError:
        target.unlink(missing_ok=True)  # half a result is none
        raise
    return True
