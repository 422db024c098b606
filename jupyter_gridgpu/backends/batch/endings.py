"""Ending jobs of a batch system: asked first, so that they can save; ended hard if they do not go; told until it was heard."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from jupyter_gridgpu.backends.batch.inquiry import poll_interval_s
from jupyter_gridgpu.errors import BackendError


class Endings:
    """Which jobs were asked to end, and what the engine has still to be told of it."""

    def __init__(
        self, alone: Callable[[str], bool], end: Callable[[Sequence[str], bool], None]
    ) -> None:
        """`alone` says whether no other job of a job's task is to go on; `end` ends tasks, hard or not, or raises EngineError."""
        self.told: dict[str, float] = {}  # key -> when it was asked to end
        self.hard_s = max(
            15.0, 4 * poll_interval_s()
        )  # from asking a job to end to ending it: it may be saving
        self._tasks: dict[str, str] = {}
        self._alone = alone
        self._end = end
        self._orders: dict[str, bool] = {}  # task -> whether hard
        self._forced: set[str] = set()
        self._due = 0.0

    def ask(self, jobs: Mapping[str, str]) -> None:
        """Ask jobs (key -> task) to end; the engine hears of those tasks of which no job is to go on."""
        self.told.update(dict.fromkeys(jobs, time.monotonic()))
        self._tasks.update(jobs)
        self._orders.update({task: False for key, task in jobs.items() if self._alone(key)})

    def over(self, key: str) -> None:
        """Forget a job that has ended."""
        self.told.pop(key, None)
        self._tasks.pop(key, None)

    def carry_out(self) -> bool:
        """Tell the engine what it has not heard yet; whether there was anything. One that is silent is told again later."""
        self._insist()
        if not self._orders or time.monotonic() < self._due:
            return False
        try:
            for hard in (False, True):
                if tasks := [task for task, how in self._orders.items() if how is hard]:
                    self._end(tasks, hard)
        except BackendError:  # or it cannot be told now, for want of a process, say
            self._due = time.monotonic() + poll_interval_s()
            return False
        self._orders.clear()
        return True

    def _insist(self) -> None:
        """Order a hard end for what was asked to end long ago."""
        late = [key for key, told in self.told.items() if time.monotonic() - told > self.hard_s]
        hard = {self._tasks[key] for key in late if self._alone(key)} - self._forced
        self._forced |= hard
        self._orders.update(dict.fromkeys(hard, True))
