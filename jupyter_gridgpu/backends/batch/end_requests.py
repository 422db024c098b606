"""Ends jobs of a batch system: first by a request, so that they can save, and then by force.

The request is a file in the job's folder, which the worker sees. The batch system ends whole tasks
only, so it gets an order for a task once no job of the task is to go on. The order is given again
until the batch system has answered.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence

from jupyter_gridgpu.backends.batch.batches import BatchStore
from jupyter_gridgpu.backends.polling import poll_interval_s
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.store.paths import ScanPaths, write_stop


class EndRequests:
    """Keeps which jobs shall end, and the orders that the batch system has not heard yet."""

    def __init__(
        self,
        paths: ScanPaths,
        batches: BatchStore,
        end: Callable[[Sequence[str], bool], None],
        patience_s: float = 0.0,
    ) -> None:
        """`end(tasks, hard)` ends tasks in the batch system, or raises BackendError."""
        # Key of a job -> when it was requested to end, on the monotonic clock.
        self.requested: dict[str, float] = {}
        # Seconds that a job has to end by itself: it may be saving its notebook.
        self.patience_s = max(15.0, 4 * poll_interval_s(), patience_s)
        self._paths = paths
        self._batches = batches
        self._end = end
        self._tasks: dict[str, str] = {}  # key -> task
        self._orders: dict[str, bool] = {}  # task -> whether it is to be ended hard
        self._forced: set[str] = set()  # tasks for which a hard end was ordered
        self._due = 0.0  # when the batch system is told again, on the monotonic clock

    def request(self, jobs: Mapping[str, str]) -> None:
        """Request jobs to end, each once. `jobs` maps keys to tasks."""
        new = {key: task for key, task in jobs.items() if key not in self.requested}
        for key in new:
            # On a disk that is full, the batch system still ends the job.
            with contextlib.suppress(OSError):
                write_stop(self._paths.job(key).stop)
        # All jobs are noted before the first task is looked at: `_task_may_end` must know of every
        # job of the task that shall end.
        self.requested.update(dict.fromkeys(new, time.monotonic()))
        self._tasks.update(new)
        for key, task in new.items():
            if self._task_may_end(key):
                self._orders[task] = False

    def forget(self, key: str) -> None:
        """Forget a job that has ended."""
        self.requested.pop(key, None)
        self._tasks.pop(key, None)

    def carry_out(self) -> bool:
        """Give the batch system the orders that it has not heard yet; return whether it got any."""
        self._order_hard_ends()
        if not self._orders or time.monotonic() < self._due:
            return False
        try:
            for hard in (False, True):
                tasks = [task for task, is_hard in self._orders.items() if is_hard is hard]
                if tasks:
                    self._end(tasks, hard)
        except BackendError:
            # The batch system is silent, or its command cannot be started now, for example for
            # lack of memory. The orders stay and are given again later.
            self._due = time.monotonic() + poll_interval_s()
            return False
        self._orders.clear()
        return True

    def _order_hard_ends(self) -> None:
        """Order a hard end, once, for each task whose jobs had their time to end by themselves."""
        now = time.monotonic()
        for key, requested_at in self.requested.items():
            if now - requested_at <= self.patience_s:
                continue
            task = self._tasks[key]
            if task not in self._forced and self._task_may_end(key):
                self._forced.add(task)
                self._orders[task] = True

    def _task_may_end(self, key: str) -> bool:
        """Return whether the task of a job has no other job that is to go on."""
        others = [other for other in self._batches.task_keys(key) if other not in self.requested]
        return all(self._paths.job(other).result.exists() for other in others)
