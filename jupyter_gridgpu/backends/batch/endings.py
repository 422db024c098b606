"""Ends jobs of a batch system: they are asked first, so that they can save, and then forced.

A job is asked by a file in its folder, which its worker sees. The batch system ends whole tasks
only, so it hears of a task when no job of it is to go on. It is told again until it has answered.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence

from jupyter_gridgpu.backends.batch.batches import BatchStore
from jupyter_gridgpu.backends.polling import poll_interval_s
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.store.paths import ScanPaths


class Endings:
    """Which jobs were asked to end, and which orders the batch system has not heard yet."""

    def __init__(
        self,
        paths: ScanPaths,
        batches: BatchStore,
        end: Callable[[Sequence[str], bool], None],
    ) -> None:
        """`end(tasks, hard)` ends tasks in the batch system, or raises BackendError."""
        self.asked: dict[str, float] = {}  # key -> when it was asked to end (monotonic clock)
        # Seconds that a job has to end by itself: it may be saving its notebook.
        self.patience_s = max(15.0, 4 * poll_interval_s())
        self._paths = paths
        self._batches = batches
        self._end = end
        self._tasks: dict[str, str] = {}  # key -> task
        self._orders: dict[str, bool] = {}  # task -> whether it is to be ended hard
        self._forced: set[str] = set()  # tasks for which a hard end was ordered
        self._due = 0.0  # when the batch system is told again, on the monotonic clock

    def request(self, jobs: Mapping[str, str]) -> None:
        """Ask jobs to end, each once. `jobs` maps keys to tasks."""
        new = {key: task for key, task in jobs.items() if key not in self.asked}
        for key in new:
            # On a disk that is full, the batch system still ends the job.
            with contextlib.suppress(OSError):
                self._paths.job(key).stop.touch(mode=0o600)
        # All of them are noted before a task is judged: it may be that all its jobs are to end.
        self.asked.update(dict.fromkeys(new, time.monotonic()))
        self._tasks.update(new)
        for key, task in new.items():
            if self._task_may_end(key):
                self._orders[task] = False

    def forget(self, key: str) -> None:
        """Forget a job that has ended."""
        self.asked.pop(key, None)
        self._tasks.pop(key, None)

    def carry_out(self) -> bool:
        """Tell the batch system what it has not heard yet; return whether it was told anything."""
        self._order_hard_ends()
        if not self._orders or time.monotonic() < self._due:
            return False
        try:
            for hard in (False, True):
                tasks = [task for task, how in self._orders.items() if how is hard]
                if tasks:
                    self._end(tasks, hard)
        except BackendError:
            # It is silent, or its command cannot be started now, for want of memory for instance.
            # The orders stay and are given again later.
            self._due = time.monotonic() + poll_interval_s()
            return False
        self._orders.clear()
        return True

    def _order_hard_ends(self) -> None:
        """Order a hard end, once, for each task whose jobs were asked to end long ago."""
        now = time.monotonic()
        for key, asked in self.asked.items():
            if now - asked <= self.patience_s:
                continue
            task = self._tasks[key]
            if task not in self._forced and self._task_may_end(key):
                self._forced.add(task)
                self._orders[task] = True

    def _task_may_end(self, key: str) -> bool:
        """Return whether the task of a job has no other job that is to go on."""
        others = [mate for mate in self._batches.task_keys(key) if mate not in self.asked]
        return all(self._paths.job(mate).result.exists() for mate in others)
