"""Files that travel with HTCondor's jobs, where nodes do not see the scan's folder.

    batches/b0001/7/in/jobs/KEY/job.json    goes to task 7, with the worker, notebook and files
    batches/b0001/7/out.0                   what the task prints, as it prints it; each new start of
                                            the task (out.1, out.2, ...) has a file of its own
    batches/b0001/7/jobs/KEY/COPY/          what HTCondor brings back at the end of the task

HTCondor brings files back only from tasks that end by themselves, and none from a task that is
removed, preempted or held. So the worker also prints what is new in its files, and HTCondor streams
what a task prints while the task runs; see worker/metrics/mirror.py.

All of this comes from jobs and is untrusted: names are checked before they become paths, and only
plain files are taken.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from jupyter_gridgpu.backends.batch.batches import Batch
from jupyter_gridgpu.backends.htcondor.checks import ON_EVERY_NODE
from jupyter_gridgpu.backends.htcondor.quoting import plain
from jupyter_gridgpu.errors import StorageError
from jupyter_gridgpu.model.fields import Fields
from jupyter_gridgpu.model.records import SharedFile
from jupyter_gridgpu.store.opener import LOCK, copy_file, plain_handle, read_bounded, read_start
from jupyter_gridgpu.store.paths import (
    COPY_NAME,
    SPEC_BYTES,
    JobPaths,
    ScanPaths,
    read_json,
    write_atomic,
    write_json,
)
from jupyter_gridgpu.store.tail import read_lines
from jupyter_gridgpu.worker.metrics import mirror
from jupyter_gridgpu.worker.shared_files import LIST_BYTES

MIRROR_VARIABLE = mirror.MIRROR_VARIABLE  # makes a worker print what is new in its files
READ_INTERVAL_S = 1.0
# The files of a copy that may come from a node.
COPY_FILES = (
    "copy.json",
    "metrics.jsonl",
    "worker.log",
    "provenance.json",
    "output.ipynb",
    "result.json",
)
# HTCondor puts the number of earlier starts there. With one name for all starts, it would empty the
# file when it starts a preempted task again, and with it what the runner has not read yet.
OUTPUT = "out.$$([NumJobStarts])"
SPOOLED_OUTPUT = "out.0"
_OUTPUT_NAME = re.compile(r"out(\.[0-9]{1,9})?")  # `out` comes from scans of version 0.1.0
# An output begins with the name of a copy, so this many bytes tell the outputs of two copies apart.
BEGINNING_BYTES = 64


@dataclass(frozen=True)
class _Position:
    """How far the output of a task was read."""

    cursor: int = 0  # in bytes
    beginning: bytes = b""  # of the output


@dataclass(frozen=True)
class _Piece:
    """A piece of a file of a copy, as one line of an output holds it."""

    key: str
    copy: str
    file: str
    offset: int  # in the file, in bytes
    data: bytes


class FileTransfer:
    """Packs what tasks need, reads what they print, and unpacks what they bring back."""

    def __init__(self, paths: ScanPaths, secrets: Path | None = None) -> None:
        """`secrets` is the file with the secrets of the scan, which goes with each task."""
        self._paths = paths
        self._secrets = secrets
        self._positions: dict[Path, _Position] = {}
        self._next_read = 0.0  # by the monotonic clock

    def pack(self, batch: Batch) -> None:
        """Write the files that travel with each task of a batch into its folder. Raises OSError."""
        for number, keys in enumerate(batch.tasks, 1):
            for key in keys:
                folder = batch.folder / str(number) / "in" / "jobs" / key
                folder.mkdir(parents=True, mode=0o700, exist_ok=True)
                spec = read_bounded(self._paths.job(key).spec, SPEC_BYTES)
                write_atomic(folder / "job.json", spec)

    def seen_by_nodes(self) -> dict[str, SharedFile]:
        """Return the helper files that nodes see where they lie, by their names."""
        body = read_json(self._paths.shared_files, LIST_BYTES)
        with contextlib.suppress(StorageError):
            files = Fields(body, self._paths.shared_files.name).inner("files")
            return {name: _shared_file(files.inner(name)) for name in files.names()}
        return {}

    def description(
        self,
        batch: Batch,
        image: str | None,
        spool: bool = False,
        in_place: Mapping[str, SharedFile] | None = None,
    ) -> dict[str, str]:
        """Return the commands of a submit description by which the files of a batch travel.

        With `spool`, they go through the spool of the schedd. The helper files `in_place` do not
        travel: jobs get a list of them. Raises OSError.
        """
        inputs = [self._paths.worker, self._paths.launcher, self._paths.notebook]
        if in_place:
            listed = batch.folder / self._paths.shared_files.name
            write_json(listed, {"files": dict(in_place)})
            inputs += [listed, *self._travelling(in_place)]
        elif self._paths.files.is_dir():
            inputs.append(self._paths.files)
        if self._secrets is not None:
            inputs.append(self._secrets)
        commands = {
            # HTCondor puts the number of each task in the place of $(number).
            "initialdir": f"{plain(str(batch.folder))}/$(number)",
            "transfer_input_files": ", ".join([*(plain(str(path)) for path in inputs), "in/"]),
            "transfer_output_files": "jobs",
            "when_to_transfer_output": "ON_EXIT",
            "output": OUTPUT,
            "error": "err",
            "stream_output": "True",
        }
        if spool:
            # Nothing that a task prints comes here before its end.
            commands |= {"output": SPOOLED_OUTPUT, "stream_output": "False"}
        if image:
            # Only for jobs of the container universe does HTCondor bring an image to the node.
            commands["universe"] = "container"
            commands["container_image"] = plain(image)
            commands["transfer_container"] = str(not image.startswith(ON_EVERY_NODE))
        return commands

    def _travelling(self, in_place: Mapping[str, SharedFile]) -> list[Path]:
        """Return a folder `files` with those helper files that are not `in_place`, if any."""
        files = self._paths.files
        rest = [
            path.relative_to(files)
            for path in sorted(files.rglob("*"))
            if path.is_file() and path.relative_to(files).as_posix() not in in_place
        ]
        if not rest:
            return []
        # All batches of a scan send the same files, so the folder is made once.
        folder = self._paths.batches / "travels" / files.name
        for name in rest:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _link_or_copy(files / name, target)
        return [folder]

    # while tasks run ------------------------------------------------------------------

    def read(self, tasks: Iterable[tuple[Batch, int]]) -> bool:
        """Write what tasks have printed into the folders of their jobs, at most once a second.

        A task is a batch and a number from 1. Return whether a job has ended.
        """
        if time.monotonic() < self._next_read:
            return False
        job_ended = False
        for batch, number in tasks:
            if self._read_outputs(batch, number):
                job_ended = True
        self._next_read = time.monotonic() + READ_INTERVAL_S
        return job_ended

    def _read_outputs(self, batch: Batch, number: int) -> bool:
        """Take what a task has printed since the last call; return whether a result was in it."""
        keys = set(batch.tasks[number - 1])
        results = [self._read_output(path, keys) for path in _outputs(batch.folder / str(number))]
        return any(results)

    def _read_output(self, path: Path, keys: set[str]) -> bool:
        """Take the new lines of one output, and return whether a result was among them."""
        position = self._positions.get(path, _Position())
        cursor = position.cursor
        beginning = _beginning(path)
        # The output of a new copy may replace that of an old one under the same name.
        if not beginning.startswith(position.beginning):
            cursor = 0
        result_came = False
        previous = -1
        # One call reads a limited part of the file, so it is repeated until the end is reached.
        while cursor != previous:
            previous = cursor
            lines, cursor = read_lines(path, cursor)
            for line in lines:
                if self._take_line(line, keys) == "result.json":
                    result_came = True
        self._positions[path] = _Position(cursor, beginning)
        return result_came

    def _take_line(self, line: bytes, keys: set[str]) -> str | None:
        """Append what a line holds to its file, and return the file's name.

        Return None for a line that did not come from a worker of one of these jobs.
        """
        piece = _parse(line)
        if piece is None or piece.key not in keys:
            return None
        copy = self._paths.job(piece.key).copy(piece.copy)
        # If the disk is full, the file stays short until HTCondor brings the whole one back.
        with contextlib.suppress(OSError):
            _append(copy.folder / piece.file, piece.offset, piece.data)
        return piece.file

    # when tasks have ended ------------------------------------------------------------

    def unpack(self, batch: Batch, number: int) -> None:
        """Take over what a task brought back, and remove what was there only for the transfer.

        What could not be taken over, for example because the disk is full, stays where it is. A
        second call does no harm.
        """
        self._read_outputs(batch, number)
        folder = batch.folder / str(number)
        for path in _outputs(folder):
            self._positions.pop(path, None)
        with contextlib.suppress(OSError):
            for key in batch.tasks[number - 1]:
                _take_over(folder / "jobs" / key, self._paths.job(key), folder / "err")
            shutil.rmtree(folder, ignore_errors=True)


def _parse(line: bytes) -> _Piece | None:
    """Return the piece of a file that a line holds, or None if the line is not sound.

    A line reads `gridgpu KEY/COPY/FILE OFFSET BASE64`. A notebook may print anything, too.
    """
    try:
        prefix, name, offset_text, text = line.split(b" ")
        key, copy, file = name.decode("ascii").split("/")
        offset = int(offset_text)
        data = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
    if prefix != mirror.LINE_START or not COPY_NAME.fullmatch(copy) or file not in COPY_FILES:
        return None
    if not 0 <= offset < mirror.FILE_LIMIT:
        return None
    return _Piece(key, copy, file, offset, data)


def _shared_file(about: Fields) -> SharedFile:
    return {"path": about.text("path"), "size": about.whole("size")}


def _link_or_copy(source: Path, target: Path) -> None:
    """Make a file that is the same as another one. Raises OSError."""
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:  # no hard links here
        copy_file(source, target)
        shutil.copystat(source, target)


def _outputs(folder: Path) -> list[Path]:
    """Return the outputs of a task in whose folder HTCondor writes, the oldest first."""
    try:
        names = [entry.name for entry in os.scandir(folder) if _OUTPUT_NAME.fullmatch(entry.name)]
    except OSError:
        return []
    return [folder / name for name in sorted(names, key=_start_number)]


def _start_number(name: str) -> int:
    """Return how often HTCondor had started a task before it wrote the output of this name."""
    return int(name.partition(".")[2] or 0)


def _beginning(path: Path) -> bytes:
    """Return the beginning of a task's output, or nothing while there is no output."""
    try:
        return read_start(path, BEGINNING_BYTES)
    except OSError:
        return b""


def _append(path: Path, offset: int, data: bytes) -> None:
    """Append data to a file, unless the file has it already. Raises OSError."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    handle = plain_handle(path, LOCK)
    try:
        # An output may be read twice, from its beginning. Only what follows the file's end is new.
        if os.fstat(handle).st_size == offset:
            os.pwrite(handle, data, offset)
    finally:
        os.close(handle)


def _take_over(brought: Path, job: JobPaths, stderr: Path) -> None:
    """Move what a job brought back into its folder. Raises OSError."""
    log = brought / "launch.log"
    # Without a log of the launcher, what the task wrote to stderr says why the job did not start.
    if not log.exists():
        log = stderr
    _move(log, job.log)
    if not brought.is_dir():
        return
    for entry in list(os.scandir(brought)):
        if COPY_NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
            copy = job.copy(entry.name)
            copy.folder.mkdir(mode=0o700, exist_ok=True)
            for name in COPY_FILES:
                _move(Path(entry.path, name), copy.folder / name)
            _move(Path(entry.path, "artifacts"), copy.folder / "artifacts")


def _move(source: Path, target: Path) -> None:
    """Move a plain file, or a folder that is not there yet. Raises OSError."""
    # A link could lead to any file of the user, so links are left where they are.
    if source.is_symlink() or not source.exists():
        return
    if source.is_dir():
        if not target.exists():
            source.rename(target)
        return
    # An empty file says nothing. HTCondor makes a file for stderr even where nothing is written.
    if source.stat().st_size and not target.is_symlink():
        source.replace(target)
