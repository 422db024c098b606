"""The batches of a scan on disk.

A batch is written before it is sent. So a runner that follows a killed one knows what may have been
sent, and asks the batch system about it instead of sending it again.

    batches/b0001/tasks         line i: the keys of the jobs of task i, counted from 1
    batches/b0001/engine.json   {"id": ...} once it is known whether the batch system took the
                                batch; the id is null if it did not
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from jupyter_gridgpu.model.resources import is_place_name
from jupyter_gridgpu.store.late_disk import freshen
from jupyter_gridgpu.store.opener import LOCK, open_plain, plain_handle, read_start
from jupyter_gridgpu.store.paths import ScanPaths, read_json, write_atomic, write_json

TASKS_BYTES = 64_000_000


@dataclass(frozen=True)
class Batch:
    """Tasks that go to a batch system in one call. `tasks` holds the keys of each task's jobs."""

    name: str
    folder: Path
    tasks: tuple[tuple[str, ...], ...]

    @property
    def tasks_file(self) -> Path:
        """The file with the keys of each task, one task a line."""
        return self.folder / "tasks"

    @property
    def engine_file(self) -> Path:
        """The file with the id that the batch system gave to the batch."""
        return self.folder / "engine.json"


class BatchStore:
    """The batches of a scan.

    They are read from disk once. After that the memory and the disk agree, since the runner is the
    only process that writes them.
    """

    def __init__(self, paths: ScanPaths) -> None:
        self._folder = paths.batches
        self._batches: dict[str, Batch] | None = None  # by name; None: not read yet
        # The batch system's id by the name of the batch. None: the batch was not taken. A name
        # that is missing: it is not known whether the batch was taken.
        self._ids: dict[str, str | None] = {}
        self._places: dict[str, tuple[Batch, int]] = {}  # key -> batch and task (from 1)

    def make(self, tasks: Sequence[Sequence[str]]) -> Batch:
        """Write a new batch to disk and return it. Raises OSError."""
        known = self._read()
        # Batches are not counted for the next number, since a batch that was dropped leaves a gap.
        number = 1 + max((int(name[1:]) for name in known), default=0)
        name = _name(number)
        batch = Batch(name, self._folder / name, tuple(tuple(keys) for keys in tasks))
        # The folder may exist: `make` failed halfway before, and what it left was never sent.
        batch.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        write_atomic(batch.tasks_file, "".join(" ".join(keys) + "\n" for keys in batch.tasks))
        self._enter(batch)
        return batch

    def record_id(self, batch: Batch, ident: str | None) -> None:
        """Record the batch system's id of a batch; None if it did not take it. Raises OSError."""
        write_json(batch.engine_file, {"id": ident})
        self._ids[batch.name] = ident

    def drop(self, batch: Batch) -> None:
        """Forget a batch that the batch system certainly did not take. Raises OSError."""
        shutil.rmtree(batch.folder)
        self._read().pop(batch.name, None)
        for keys in batch.tasks:
            for key in keys:
                self._places.pop(key, None)

    def all(self) -> list[Batch]:
        """Return all batches, oldest first."""
        return list(self._read().values())

    def place(self, key: str) -> tuple[Batch, int] | None:
        """Return batch and task (from 1) in which a job was handed over last."""
        self._read()
        return self._places.get(key)

    def task_keys(self, key: str) -> tuple[str, ...]:
        """Return the keys of all jobs of the task that a job belongs to, in the order they run."""
        place = self.place(key)
        if place is None:
            return (key,)
        batch, index = place
        return batch.tasks[index - 1]

    def id_of(self, batch: Batch) -> str | None:
        """Return the batch system's id of a batch.

        Return None if the batch was not taken, or if nobody knows yet whether it was.
        """
        return self._ids.get(batch.name)

    def taken_at(self, key: str) -> float | None:
        """Return when the batch system surely had the batch of a job, in seconds since the epoch.

        Return None if that is not known.
        """
        place = self.place(key)
        with contextlib.suppress(OSError):
            if place is not None and self.id_of(place[0]) is not None:
                return place[0].engine_file.stat().st_mtime
        return None

    def unconfirmed(self, keys: Iterable[str]) -> list[Batch]:
        """Return those batches of jobs for which it is not known whether they were taken."""
        found: dict[str, Batch] = {}
        for key in keys:
            place = self.place(key)
            if place is not None and place[0].name not in self._ids:
                found[place[0].name] = place[0]
        return list(found.values())

    def _read(self) -> dict[str, Batch]:
        """Return all batches by name; the first call reads them from disk."""
        if self._batches is None:
            self._batches = {}
            # A runner on another host may have made a batch since this host last looked. A batch
            # that is not seen would be sent again.
            if self._folder.is_dir():
                freshen(self._folder)
            for folder in _folders(self._folder):
                batch = _load(folder)
                self._enter(batch)
                answer = read_json(batch.engine_file)
                # A file that is torn or damaged is ignored: the batch system is asked again.
                if isinstance(answer, dict) and _is_id(answer.get("id", 0)):
                    self._ids[batch.name] = answer["id"]
        return self._batches

    def _enter(self, batch: Batch) -> None:
        """Add a batch. A job that was in an older batch is now in this one."""
        assert self._batches is not None
        self._batches[batch.name] = batch
        for index, keys in enumerate(batch.tasks, 1):
            for key in keys:
                self._places[key] = (batch, index)


def _is_id(value: object) -> bool:
    """Return whether a value can be the id of a batch; None says that there is none.

    The id becomes a word of commands to the batch system.
    """
    return value is None or (isinstance(value, str) and is_place_name(value))


def _folders(root: Path) -> list[Path]:
    """Return the folders of batches, oldest first, so that b10000 comes after b9999."""
    try:
        entries = list(os.scandir(root))
    except FileNotFoundError:
        return []
    numbers = {int(entry.name[1:]) for entry in entries if _is_batch(entry.name)}
    # A list of the folder may be older than what is found by its name.
    while os.path.lexists(root / _name(last := max(numbers, default=0) + 1)):
        numbers.add(last)
    return [root / _name(number) for number in sorted(numbers)]


def _name(number: int) -> str:
    return f"b{number:04d}"


def _is_batch(name: str) -> bool:
    return name.startswith("b") and name[1:].isdecimal()


def _load(folder: Path) -> Batch:
    """Return the batch of a folder.

    A batch without tasks was never sent: its runner was killed before it had written them.
    """
    try:
        text = read_start(folder / "tasks", TASKS_BYTES).decode("utf-8", "replace")
        lines = text.splitlines()
    except FileNotFoundError:
        lines = []
    return Batch(folder.name, folder, tuple(tuple(line.split()) for line in lines))


@contextlib.contextmanager
def sending(batch: Batch) -> Iterator[TextIO]:
    """Hold the lock that says that a batch is being sent; yield its file.

    The process that sends inherits the file and so holds the lock, too. It may outlive a runner
    that is killed, and the batch may be taken after that: see `still_sending`.
    """
    with os.fdopen(plain_handle(_sending_file(batch), LOCK), "w") as file:
        # There are file systems without locks. Then a killed runner's process is not noticed.
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def still_sending(batch: Batch) -> bool:
    """Return whether some process, perhaps of an earlier runner, is still sending a batch."""
    try:
        with open_plain(_sending_file(batch)) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # never sent, or no locks here
        return False
    return False


def _sending_file(batch: Batch) -> Path:
    return batch.folder / "sending"
