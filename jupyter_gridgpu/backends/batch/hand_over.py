"""Hands jobs over to a batch system: in batches as large as it takes them, and each job once."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence

from jupyter_gridgpu.backends.base import Job, write_spec
from jupyter_gridgpu.backends.batch.batches import BatchStore
from jupyter_gridgpu.backends.batch.inquiry import Inquiry
from jupyter_gridgpu.backends.batch.system import BatchSystem
from jupyter_gridgpu.errors import BackendError, QueueFull, Unreachable
from jupyter_gridgpu.model.scan import ScanSpec

Answers = dict[str, str | Exception]  # for each key the id of its task, or the error


class HandOver:
    """Groups jobs into tasks and tasks into batches, and sends the batches.

    A task holds `per_job` times `per_gpu` jobs.
    """

    def __init__(
        self, system: BatchSystem, scan: ScanSpec, batches: BatchStore, inquiry: Inquiry
    ) -> None:
        # The refusal, if the batch system had no room for all jobs at the last hand-over.
        self.full: QueueFull | None = None
        self._system = system
        self._batches = batches
        self._inquiry = inquiry
        self._task_size = scan.per_job * scan.per_gpu

    def task_count(self, jobs: int) -> int:
        """Return how many tasks are needed for so many jobs."""
        return math.ceil(jobs / self._task_size)

    def submit(self, jobs: Sequence[Job]) -> Answers:
        """Hand jobs over in as few calls as possible. Return an answer for each key."""
        keys = [job.key for job in jobs]
        # An earlier call may have reached the batch system although its answer did not reach us. A
        # job that is sent twice runs twice, so the batch system is first asked which jobs it has.
        try:
            answers: Answers = dict(self.find(keys))
        except Unreachable as error:
            return dict.fromkeys(keys, error)
        left = [job for job in jobs if job.key not in answers]
        size = self._task_size
        tasks = [left[start : start + size] for start in range(0, len(left), size)]
        answers.update(self._send_all(tasks))
        self._inquiry.hurry()
        return answers

    def find(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the task ids of those jobs that were taken, by key.

        Raises Unreachable if the answer cannot be had now.
        """
        unconfirmed = self._batches.unconfirmed(keys)
        if unconfirmed:
            known = self._system.find_batches(unconfirmed)
            # A batch that the batch system does not have is given up: its jobs are sent anew.
            for batch in unconfirmed:
                self._batches.record_id(batch, known.get(batch.name))
        found = {}
        for key in keys:
            task = self._task_of(key)
            if task is not None:
                found[key] = task
        return found

    def _task_of(self, key: str) -> str | None:
        """Return the id of the task in which a job was taken, or None if it was not taken."""
        place = self._batches.place(key)
        if place is None:
            return None
        batch, index = place
        ident = self._batches.id_of(batch)
        if ident is None:
            return None
        return self._system.task_id(ident, index)

    def _send_all(self, tasks: list[list[Job]]) -> Answers:
        """Send tasks in batches, each as large as the batch system takes it."""
        answers: Answers = {}
        size = self._system.batch_limit
        if self.full:
            # While the batch system stays full, an attempt costs one call with one task. Each
            # batch that is taken doubles the size of the next.
            size = 1
        growth = 2
        sent = 0
        while tasks:
            part = tasks[: max(min(size, self._system.allowed_tasks(sent)), 0)]
            if not part and self.full is not None:
                break
            part_answers = self._send(part)
            refusal = _refusal(part_answers)
            if refusal is None:
                answers.update(part_answers)
                tasks = tasks[len(part) :]
                sent += len(part)
                size *= growth
                continue
            self.full = refusal
            if len(part) == 1:
                break
            # A batch is refused as a whole, so the room that is left is found by halving. From
            # now on the size does not grow: it would only be refused again.
            size = len(part) // 2
            growth = 1
        if not tasks:
            self.full = None
            return answers
        assert self.full is not None
        # The tasks that are left get the same answer, without another call.
        for task in tasks:
            answers.update(dict.fromkeys((job.key for job in task), self.full))
        return answers

    def _send(self, tasks: list[list[Job]]) -> Answers:
        """Write the specs of jobs and send their tasks as one batch."""
        answers: Answers = {}
        written: list[list[str]] = []
        for task in tasks:
            keys = []
            for job in task:
                error = self._write(job)
                if error is None:
                    keys.append(job.key)
                else:
                    answers[job.key] = error
            if keys:
                written.append(keys)
        if written:
            answers.update(self._send_written(written))
        return answers

    def _write(self, job: Job) -> OSError | None:
        """Write job.json; return the error if the disk refuses it."""
        # A batch system may start a job again: a worker that is ended from outside then keeps its
        # result to itself.
        spec = {
            **job.spec,
            "requeues": True,
            "kill_s": self._system.kill_s,
            "notice_s": self._system.notice_s,
            "limit_is_near": self._system.limit_is_near(),
        }
        try:
            write_spec(Job(job.key, job.paths, spec), self._system.environment())
        except OSError as error:
            return error
        return None

    def _send_written(self, tasks: list[list[str]]) -> Answers:
        """Send jobs whose specs are written as one batch."""
        keys = [key for task in tasks for key in task]
        try:
            batch = self._batches.make(tasks)
            ident = self._system.send(batch)
        except QueueFull as error:
            # Where the folder cannot be removed, the next runner asks for the batch by its name
            # and hears that it is not there.
            with contextlib.suppress(OSError):
                self._batches.drop(batch)
            return dict.fromkeys(keys, error)
        except Unreachable as error:
            # The batch may have been taken. It stays on disk, and `find` asks for it.
            return dict.fromkeys(keys, error)
        except BackendError as error:
            self._batches.record_id(batch, None)
            return dict.fromkeys(keys, error)
        except OSError as error:
            return dict.fromkeys(keys, error)
        # Where the id cannot be written, the batch system still finds the batch by its name.
        with contextlib.suppress(OSError):
            self._batches.record_id(batch, ident)
        answers: Answers = {}
        for index, task in enumerate(tasks, 1):
            answers.update(dict.fromkeys(task, self._system.task_id(ident, index)))
        return answers


def _refusal(answers: Answers) -> QueueFull | None:
    """Return the first answer which says that the batch system is full, if there is one."""
    for answer in answers.values():
        if isinstance(answer, QueueFull):
            return answer
    return None
