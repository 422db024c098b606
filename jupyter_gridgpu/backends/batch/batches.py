"""What was handed to a batch system, on disk before it is sent: so a killed runner is followed by one that knows.

A task is what the engine starts as one unit and may run several jobs; a batch is many tasks in one call to the engine.

    batches/b0001/tasks         line i: the keys of task i, from 1
    batches/b0001/engine.json   {"id": ...} once the engine took it; the id null: it was not sent after all
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

from jupyter_gridgpu.store.paths import ScanPaths, read_json, write_atomic, write_json

TASKS_BYTES = 64_000_000


@dataclass(frozen=True)
class Batch:
    """Tasks for one call to the engine; the keys of each."""

    name: str
    folder: Path
    tasks: tuple[tuple[str, ...], ...]

    @property
    def tasks_file(self) -> Path:
        return self.folder / "tasks"

    @property
    def engine_file(self) -> Path:
        return self.folder / "engine.json"


class BatchStore:
    """The batches of a scan: read once, kept in step with the disk by the one runner that writes them."""

    def __init__(self, paths: ScanPaths) -> None:
        self._folder = paths.batches
        self._batches: dict[str, Batch] | None = None
        self._ids: dict[
            str, str | None
        ] = {}  # batch name -> engine's id; missing: not known whether it was taken
        self._places: dict[str, tuple[Batch, int]] = {}

    def make(self, tasks: Sequence[Sequence[str]]) -> Batch:
        """Write a new batch to disk. Raises OSError."""
        known = self._read()
        number = 1 + max((int(name[1:]) for name in known), default=0)
        name = f"b{number:04d}"
        batch = Batch(name, self._folder / name, tuple(tuple(keys) for keys in tasks))
        batch.folder.mkdir(
            parents=True, mode=0o700, exist_ok=True
        )  # where this failed halfway before, it was never sent
        write_atomic(batch.tasks_file, "".join(" ".join(keys) + "\n" for keys in batch.tasks))
        self._enter(batch)
        return batch

    def took(self, batch: Batch, ident: str | None) -> None:
        """Keep what the engine calls a batch; None: it does not have it. Raises OSError."""
        write_json(batch.engine_file, {"id": ident})
        self._ids[batch.name] = ident

    def drop(self, batch: Batch) -> None:
        """Forget a batch that the engine surely did not take. Raises OSError."""
        shutil.rmtree(batch.folder)
        self._read().pop(batch.name, None)
        for key in (key for keys in batch.tasks for key in keys):
            self._places.pop(key, None)

    def all(self) -> list[Batch]:
        """Return all batches, oldest first."""
        return list(self._read().values())

    def place(self, key: str) -> tuple[Batch, int] | None:
        """Return batch and task (from 1) in which a job was handed over last."""
        self._read()
        return self._places.get(key)

    def ident(self, batch: Batch) -> str | None:
        return self._ids.get(batch.name)

    def unsure(self, keys: Iterable[str]) -> list[Batch]:
        """Return the batches of these jobs of which it is not known whether the engine took them."""
        places = [place for key in keys if (place := self.place(key)) is not None]
        return list(
            {batch.name: batch for batch, _ in places if batch.name not in self._ids}.values()
        )

    def _read(self) -> dict[str, Batch]:
        if self._batches is None:
            self._batches = {}
            for folder in _folders(self._folder):
                batch = _load(folder)
                self._enter(batch)
                answer = read_json(batch.engine_file)
                if isinstance(answer, dict) and isinstance(answer.get("id", 0), (str, type(None))):
                    self._ids[batch.name] = answer["id"]
        return self._batches

    def _enter(self, batch: Batch) -> None:
        assert self._batches is not None
        self._batches[batch.name] = batch
        self._places.update(
            {key: (batch, index) for index, keys in enumerate(batch.tasks, 1) for key in keys}
        )


def _folders(root: Path) -> list[Path]:
    try:
        names = [
            entry.name
            for entry in os.scandir(root)
            if entry.name[:1] == "b" and entry.name[1:].isdecimal()
        ]
    except FileNotFoundError:
        return []
    return [root / name for name in sorted(names, key=lambda name: int(name[1:]))]


def _load(folder: Path) -> Batch:
    """A batch without its tasks was never sent."""
    try:
        with open(folder / "tasks", encoding="utf-8") as file:
            lines = file.read(TASKS_BYTES).splitlines()
    except FileNotFoundError:
        lines = []
    return Batch(folder.name, folder, tuple(tuple(line.split()) for line in lines))


@contextlib.contextmanager
def sending(batch: Batch) -> Iterator[TextIO]:
    """Hold a lock that the sending process holds too: it may outlive a killed runner, and the batch may yet be taken."""
    with open(_sending_file(batch), "w") as file:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def still_sending(batch: Batch) -> bool:
    try:
        with open(_sending_file(batch)) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _sending_file(batch: Batch) -> Path:
    return batch.folder / "sending"
