"""The path of every file in a scan folder, and how such files are written and read.

Three ways to write a file, and what a reader sees after a crash of the writer:

- `write_atomic` replaces a file. Whenever the writer is killed, a reader sees the old or the new
  text. Nothing is synced, so after a power cut the newest text may be lost.
- `publish` gives a file that is complete a second name, by a link. Of several writers, the first
  one wins. A file that must outlive a power cut is synced before it is published (`sync_file`).
- `JournalWriter` (journal.py) appends; it syncs those events that must survive a power cut.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.opener import create_plain, plain_handle, read_bounded

SPEC_BYTES = 64_000_000  # of a job.json
NOTEBOOK_BYTES = 100 * 1024 * 1024  # of the largest notebook that is read
PUBLISHED_BYTES = 16_000_000  # more than any file that is published has
COPY_NAME = re.compile(r"[a-z0-9]{1,32}")


@dataclass(frozen=True)
class ScanPaths:
    """The files of one scan."""

    folder: Path

    @property
    def spec(self) -> Path:
        """What the scan is: the notebook's name, the space, the backend. It never changes."""
        return self.folder / "scan.json"

    @property
    def notebook(self) -> Path:
        """The notebook as it was when the scan was made."""
        return self.folder / "notebook.ipynb"

    @property
    def files(self) -> Path:
        """The folder of the helper files, which all jobs of the scan read."""
        return self.folder / "files"

    @property
    def worker(self) -> Path:
        """The packed worker, the very code that ran the scan's jobs."""
        return self.folder / "worker.pyz"

    @property
    def launcher(self) -> Path:
        """The script that finds the container runtime on a node and runs the worker in it."""
        return self.folder / "worker.sh"

    @property
    def image_version(self) -> Path:
        """The image in which the scan's first job ran, in scans of earlier versions."""
        return self.folder / "image.mark"

    @property
    def batches(self) -> Path:
        """The batches of the scan, each in a folder of its own."""
        return self.folder / "batches"

    @property
    def provenance(self) -> Path:
        """Who asked for the scan and how, and the digests of all its inputs. It never changes."""
        return self.folder / "provenance.json"

    @property
    def unpacked(self) -> Path:
        """The mark of a scan that was unpacked. With it, nothing in the folder is ever run."""
        return self.folder / "unpacked.json"

    @property
    def points(self) -> Path:
        """The variants whose points were given, one a line. The file never changes."""
        return self.folder / "points.jsonl"

    @property
    def earlier(self) -> Path:
        """The results of earlier scans that the sampler learns from. The file never changes."""
        return self.folder / "earlier.jsonl"

    @property
    def shared_files(self) -> Path:
        """Which helper files nodes see where they lie. The file never changes."""
        return self.folder / "shared-files.json"

    @property
    def manifest(self) -> Path:
        """The digests of what jobs left, one job a line. Only the runner writes it."""
        return self.folder / "manifest.jsonl"

    @property
    def journal(self) -> Path:
        """All events of the scan, one a line. Only the runner writes it."""
        return self.folder / "journal.jsonl"

    @property
    def fold(self) -> Path:
        """The cached fold of a long journal. It may be removed at any time.

        Version 0.1.0 called this file `checkpoint.json`. Such a file is neither read nor written.
        """
        return self.folder / "fold.json"

    @property
    def inbox(self) -> Path:
        """The commands of clients that the runner has not applied yet, each in a file."""
        return self.folder / "inbox"

    @property
    def jobs(self) -> Path:
        """The folders of all jobs."""
        return self.folder / "jobs"

    @property
    def arrived(self) -> Path:
        """What jobs that share no disk sent while they ran, in folders like those of `jobs`.

        Only the runner writes it.
        """
        return self.folder / "arrived"

    @property
    def sender(self) -> Path:
        """What jobs need to send metrics, where files travel with them.

        The file is never in the scan folder of the user, since it holds a key.
        """
        return self.folder / "sender.json"

    @property
    def lock(self) -> Path:
        """The lease of the scan's runner."""
        return self.folder / "runner.lock"

    @property
    def log(self) -> Path:
        """What the scan's runners, and processes that they started, wrote to stderr."""
        return self.folder / "runner.log"

    def job(self, key: str) -> JobPaths:
        """Return the files of the job with this key."""
        return JobPaths(self.jobs / key)

    def arrival(self, key: str) -> JobPaths:
        """Return the files that the job with this key sent while it ran."""
        return JobPaths(self.arrived / key)


@dataclass(frozen=True)
class JobPaths:
    """The files of one job. Each copy of the job has a folder of its own inside."""

    folder: Path

    @property
    def spec(self) -> Path:
        """What the job is to run. Only the runner writes it."""
        return self.folder / "job.json"

    @property
    def result(self) -> Path:
        """The result of the copy that ended first."""
        return self.folder / "result.json"

    @property
    def claim(self) -> Path:
        """Which process runs the job on this machine. Only the local backend has such files."""
        return self.folder / "claim.json"

    @property
    def log(self) -> Path:
        """What the launcher, or the worker, printed before the copy had a folder."""
        return self.folder / "launch.log"

    @property
    def stop(self) -> Path:
        """A file that is there once the job is to end. The worker looks for it."""
        return self.folder / "stop"

    def copy(self, name: str) -> CopyPaths:
        """Return the files of the copy with this name."""
        return CopyPaths(self.folder / name)

    def copies(self) -> list[CopyPaths]:
        """Return the copies of the job that have a folder, the oldest first.

        The list is empty if the folder cannot be read now.
        """
        try:
            # A link could lead out of the scan folder, and a job may have made one.
            found = [
                CopyPaths(Path(entry.path))
                for entry in os.scandir(self.folder)
                if COPY_NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
            ]
        except OSError:
            # The runner looks at these folders all the time. A network disk that does not answer
            # for a moment must not end it.
            return []
        return sorted(found, key=CopyPaths.made)


@dataclass(frozen=True)
class CopyPaths:
    """The files of one copy of a job. Only the copy's worker writes them."""

    folder: Path

    def is_real(self) -> bool:
        """Return whether the folder is there; a link, which a job may have made, does not count."""
        return self.folder.is_dir() and not self.folder.is_symlink()

    @property
    def about(self) -> Path:
        """Where the copy runs: host, batch system, GPUs. The worker writes it first, and once."""
        return self.folder / "copy.json"

    def made(self) -> float:
        """Return when the copy began, in seconds since the epoch, or 0.0 if that is not known.

        A copy that has not written `about` yet began when its folder last changed.
        """
        for path in (self.about, self.folder):
            with contextlib.suppress(OSError):
                return path.stat().st_mtime
        return 0.0

    @property
    def metrics(self) -> Path:
        """The readings of the copy, one a line."""
        return self.folder / "metrics.jsonl"

    @property
    def result(self) -> Path:
        """How the copy ended."""
        return self.folder / "result.json"

    @property
    def notebook(self) -> Path:
        """The executed notebook, as far as it was saved."""
        return self.folder / "output.ipynb"

    @property
    def provenance(self) -> Path:
        """The software and the hardware that the copy ran with."""
        return self.folder / "provenance.json"

    @property
    def log(self) -> Path:
        """What the worker and the notebook printed."""
        return self.folder / "worker.log"


def scratch_folder(copy: str) -> Path:
    """Return the folder on the node in which a copy keeps what lives no longer than it does."""
    # Sockets of kernels lie in this folder, and the path of a socket may have 107 bytes at most:
    # $TMPDIR is often longer.
    root = "/tmp"
    if not os.access(root, os.W_OK):
        root = tempfile.gettempdir()
    return Path(root) / f"gridgpu-{copy}"


def write_atomic(path: Path, text: str | bytes) -> None:
    """Write a file so that readers see the old or the new text, never a part of it.

    Raises OSError, or UnicodeError for half a surrogate pair; then the old file is still there.
    """
    # The part is new and its name is random: two processes that write the same file do not write
    # into each other's part, and nobody can put a link or a pipe there. The rename replaces the
    # file in one step.
    part = path.with_name(f".{path.name}.{os.urandom(4).hex()}.part")
    try:
        create_plain(part, text.encode() if isinstance(text, str) else text)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_json(path: Path, body: Any) -> None:
    """Write an object as JSON, as `write_atomic` does."""
    write_atomic(path, json.dumps(body, indent=1))


def sync_file(path: Path) -> None:
    """Bring a file to the disk, so that it outlives a power cut. Raises OSError.

    A file system that cannot sync says so by an error of its own; then nothing better can be done.
    """
    handle = plain_handle(path)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
    finally:
        os.close(handle)


def read_json(path: Path, limit: int = 4_000_000) -> Any:
    """Return the JSON in a plain file of at most `limit` bytes.

    Returns None if the file is missing, is larger, is not JSON or is something else than a file.
    """
    try:
        return load_json(path, limit)
    except (OSError, ValueError):
        return None


def load_json(path: Path, limit: int = 4_000_000) -> Any:
    """Return the JSON in a plain file of at most `limit` bytes. Raises OSError or ValueError."""
    return parse_json(read_bounded(path, limit))


def write_stop(path: Path, why: str = "user", message: str | None = None) -> None:
    """Write the `stop` file of a job, unless it is there already. Raises OSError."""
    if not path.exists():
        write_json(path, {"why": why, "message": message})


def publish(source: Path, target: Path) -> bool:
    """Give the file `source` the name `target` as well, and return whether this call did so.

    Returns False if `target` exists already: of several copies of a job that end, the first one
    wins. Raises OSError.
    """
    # A hard link does two things in one step that no other call does together: it fails where the
    # name is taken (a rename would replace the result of another copy), and the file under the new
    # name is complete from the first moment (a file that is created and then written is not).
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    except OSError:
        return _publish_from_same_folder(source, target)
    return True


def _publish_from_same_folder(source: Path, target: Path) -> bool:
    """Copy `source` into the folder of `target` and link it there, as `publish` does.

    AFS has hard links inside one folder only. Whenever this process is killed, `target` is complete
    or missing.
    """
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        create_plain(part, read_bounded(source, PUBLISHED_BYTES))
        os.link(part, target)
    except FileExistsError:
        return False
    except OSError:  # the file system has no hard links at all
        return _publish_by_create(source, target)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return True


def _publish_by_create(source: Path, target: Path) -> bool:
    """Create `target` and write it, on file systems without hard links.

    The first one wins here as well, but a writer that is killed leaves half a file, and readers
    may see a part for a moment. They take that for no result (`read_json`).
    """
    try:
        create_plain(target, read_bounded(source, PUBLISHED_BYTES), 0o600)
    except FileExistsError:
        return False
    except OSError:
        # Half a result would keep the next copy of the job from publishing its whole result.
        target.unlink(missing_ok=True)
        raise
    return True
