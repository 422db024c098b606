"""Files that travel with HTCondor's jobs, where nodes do not see the scan's folder.

    batches/b0001/7/in/jobs/KEY/job.json    what task 7 gets beside the worker, the notebook and its files
    batches/b0001/7/out                     what the task prints, as it does: the worker tells there what is new in its files
    batches/b0001/7/jobs/KEY/COPY/          what HTCondor brings back when the task has ended by itself

All of it comes from jobs: names are looked at before they become paths, and only plain files are taken.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from jupyter_gridgpu.backends.batch.batches import Batch
from jupyter_gridgpu.store.paths import COPY_NAME, ScanPaths
from jupyter_gridgpu.store.tail import read_lines
from jupyter_gridgpu.worker.metrics.mirror import MARK, NOTEBOOK_LIMIT, VARIABLE

MIRROR = VARIABLE
EVERY_S = 1.0
TOLD = (
    "copy.json",
    "metrics.jsonl",
    "worker.log",
    "provenance.json",
    "output.ipynb",
    "result.json",
)


class FileTransfer:
    """Packs what tasks need, follows what they tell, unpacks what they bring back."""

    def __init__(self, paths: ScanPaths) -> None:
        self._paths = paths
        self._read: dict[
            Path, tuple[int, bytes]
        ] = {}  # file -> how far it was read, and how it begins
        self._next = 0.0

    def pack(self, batch: Batch) -> None:
        """Lay out what goes along with each task. Raises OSError."""
        for index, keys in enumerate(batch.tasks, 1):
            for key in keys:
                into = batch.folder / str(index) / "in" / "jobs" / key
                into.mkdir(parents=True, mode=0o700, exist_ok=True)
                shutil.copyfile(self._paths.job(key).spec, into / "job.json")

    def description(self, batch: Batch, image: str | None) -> dict[str, str]:
        """Return the commands by which the files of a batch travel."""
        given = [self._paths.worker, self._paths.launcher, self._paths.notebook]
        files = [self._paths.files] if self._paths.files.is_dir() else []
        found = {
            "initialdir": f"{batch.folder}/$(number)",
            "transfer_input_files": ", ".join([*(str(path) for path in [*given, *files]), "in/"]),
            "transfer_output_files": "jobs",
            "when_to_transfer_output": "ON_EXIT",
            "output": "out",
            "error": "err",
            "stream_output": "True",
        }
        if image:
            shared = image.startswith("/cvmfs/")
            found |= {
                "universe": "container",
                "container_image": image,
                "transfer_container": str(not shared),
            }
        return found

    # while they run -------------------------------------------------------------------

    def read(self, places: Iterable[tuple[Batch, int]]) -> bool:
        """Write what tasks told since the last time into the jobs' folders, once a second; whether a job has ended."""
        if time.monotonic() < self._next:
            return False
        ended = [True for batch, index in places if self._follow(batch, index)]
        self._next = time.monotonic() + EVERY_S
        return bool(ended)

    def _follow(self, batch: Batch, index: int) -> bool:
        path, keys = batch.folder / str(index) / "out", set(batch.tasks[index - 1])
        cursor, begins = self._read.get(path, (0, b""))
        head = _head(path)
        if not head.startswith(begins):
            cursor = 0  # a new copy was started, whose output took the place of the old one's
        before, told = -1, set()
        while cursor != before:
            before = cursor
            lines, cursor = read_lines(path, cursor)
            told |= {self._take(line, keys) for line in lines}
        self._read[path] = cursor, head
        return "result.json" in told

    def _take(self, line: bytes, keys: set[str]) -> str | None:
        """Append what a line tells to the file that it names, if that is one of a copy of the task's jobs; which it was."""
        try:
            mark, name, offset, text = line.split(b" ")
            key, copy, file = name.decode("ascii").split("/")
            at, data = int(offset), base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            return None
        if (
            mark != MARK
            or key not in keys
            or not COPY_NAME.fullmatch(copy)
            or file not in TOLD
            or not 0 <= at < NOTEBOOK_LIMIT
        ):
            return None
        with contextlib.suppress(OSError):
            _append(self._paths.job(key).copy(copy).folder / file, at, data)
        return file

    # when they have ended ---------------------------------------------------------------

    def unpack(self, batch: Batch, index: int) -> None:
        """Take over what a task brought back, and remove what was only for the journey. A second time does no harm.

        What could not be taken over, for want of space, say, stays where it came.
        """
        self._follow(batch, index)
        folder = batch.folder / str(index)
        self._read.pop(folder / "out", None)
        with contextlib.suppress(OSError):
            for key in batch.tasks[index - 1]:
                self._unpack(folder / "jobs" / key, key, folder / "err")
            shutil.rmtree(folder, ignore_errors=True)

    def _unpack(self, brought: Path, key: str, err: Path) -> None:
        job = self._paths.job(key)
        log = brought / "launch.log"
        _move(log if log.exists() else err, job.log)
        for entry in list(os.scandir(brought)) if brought.is_dir() else ():
            if COPY_NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                copy = job.copy(entry.name)
                copy.folder.mkdir(mode=0o700, exist_ok=True)
                for name in TOLD:
                    _move(Path(entry.path, name), copy.folder / name)
                _move(Path(entry.path, "artifacts"), copy.folder / "artifacts")


def _head(path: Path) -> bytes:
    """The beginning of what a task told: every copy has a name of its own."""
    try:
        with open(path, "rb") as file:
            return file.read(64)
    except OSError:
        return b""


def _append(path: Path, offset: int, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        if os.fstat(handle).st_size == offset:
            os.pwrite(handle, data, offset)
    finally:
        os.close(handle)


def _move(source: Path, target: Path) -> None:
    """Give a plain file or a folder another place; an empty file is none."""
    if source.is_symlink() or not source.exists():
        return
    if source.is_dir():
        if not target.exists():
            source.rename(target)
    elif source.stat().st_size and not target.is_symlink():
        source.replace(target)
