"""A backend of a batch system that says what a test lets it say."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_gridgpu.backends.base import Job, job_spec
from jupyter_gridgpu.backends.batch.backend import BatchBackend
from jupyter_gridgpu.backends.batch.batches import Batch
from jupyter_gridgpu.backends.batch.inquiry import StatusAnswer, TaskStatus
from jupyter_gridgpu.errors import BackendError, QueueFull, Unreachable
from jupyter_gridgpu.model.job import Observation
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.examples import small_scan


class Scripted(BatchBackend):
    """A batch system that says what the test lets it say."""

    title = "Engine"
    batch_limit = 3

    def __init__(self, paths: ScanPaths, **changes: Any) -> None:
        super().__init__(small_scan(**{"backend": "scripted", **changes}), paths)
        self.taken: dict[str, str] = {}
        self.refuses: Exception | None = None
        self.free = 1000  # how many more tasks it takes
        self.sizes: list[int] = []  # of the batches it was given
        self.ended: list[tuple[list[str], bool]] = []
        self.brought: list[int] = []

    def check(self, ask: bool = True) -> None:
        """Do nothing: everything is taken."""

    def send(self, batch: Batch) -> str:
        if isinstance(self.refuses, BackendError):
            raise self.refuses
        self.sizes.append(len(batch.tasks))
        if len(batch.tasks) > self.free:
            raise QueueFull("Engine takes no more.")
        self.free -= len(batch.tasks)
        self.taken[batch.name] = batch.name[1:]
        return batch.name[1:]

    def find_batches(self, batches: Sequence[Batch]) -> dict[str, str]:
        if isinstance(self.refuses, Unreachable):
            raise self.refuses
        return {batch.name: self.taken[batch.name] for batch in batches if batch.name in self.taken}

    def task_id(self, batch_id: str, index: int) -> str:
        return f"{batch_id}_{index}"

    def query(self) -> Mapping[str, TaskStatus]:
        raise Unreachable("The test says itself what was seen.")

    def end(self, tasks: Sequence[str], hard: bool) -> None:
        if self.refuses:
            raise self.refuses
        self.ended.append((list(tasks), hard))

    def fetch_files(self, batch: Batch, index: int) -> None:
        self.brought.append(index)

    # What a test does.

    def says(self, tasks: Mapping[str, TaskStatus], at: float | None = None) -> None:
        if at is None:
            at = time.time()
        self._inquiry.answer = StatusAnswer(at, tasks)
        self._inquiry._due = float("inf")

    def hand_over(self, *numbers: int) -> dict[str, str]:
        keys = [f"v{number:04d}.1" for number in numbers]
        jobs = [
            Job(key, self._paths.job(key), job_spec(self._scan, key, {"lr": 0.1})) for key in keys
        ]
        answers = self.submit(jobs)
        return {key: str(answer) for key, answer in answers.items() if isinstance(answer, str)}

    def one(self, ids: dict[str, str], key: str = "v0001.1") -> Observation | None:
        return self.poll(ids).get(key)

    def copy(self, key: str, name: str = "ab12", at: float | None = None) -> Any:
        """Make the files of a worker that has started, and return the copy."""
        copy = self._paths.job(key).copy(name)
        copy.folder.mkdir()
        copy.about.write_text(json.dumps({"host": "node1", "started": 5.0, "gpus": "0"}))
        copy.notebook.write_text("{}")
        if at is None:
            at = time.time()
        os.utime(copy.about, (at, at))
        return copy
