"""Tasks that have ended, as Slurm's accounting tells of them, on clusters that have accounting."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence

from jupyter_gridgpu.backends.batch.inquiry import TaskStatus
from jupyter_gridgpu.backends.slurm import commands, output
from jupyter_gridgpu.errors import Unreachable

# After so many answers that tell of its array and not of a task, the task surely never started.
SURE_ANSWERS = 3
TRIES = 3  # so often it is asked who cancelled a task: the accounting may hear of it late


class PastTasks:
    """Asks the accounting what became of tasks that have left the queue."""

    def __init__(self, accounting: commands.Accounting) -> None:
        self._accounting = accounting
        self._lacked: Counter[str] = Counter()  # answers in a row that told only of the array

    def ask(self, tasks: Sequence[str]) -> dict[str, TaskStatus]:
        """Return what is known of tasks that the queue does not know.

        A task of an array that was cancelled while it waited has no record of its own. Raises
        Unreachable.
        """
        known = self.records(tasks)
        arrays = {_array(task) for task in known}
        found = {}
        for task in tasks:
            if task in known:
                found[task] = known[task]
                del self._lacked[task]
            elif _array(task) in arrays:
                self._lacked[task] += 1
                if self._lacked[task] >= SURE_ANSWERS:
                    found[task] = output.cancelled_unstarted()
        return found

    def records(self, tasks: Sequence[str]) -> dict[str, TaskStatus]:
        """Return the records of all tasks of the arrays of these tasks. Raises Unreachable."""
        arrays = sorted({_array(task) for task in tasks})
        text = self._accounting.ask(output.PAST_FIELDS, f"--jobs={','.join(arrays)}")
        return output.read_tasks(text)


class Cancellers:
    """Finds out who cancelled tasks, which the queue does not tell."""

    def __init__(self, past: PastTasks) -> None:
        self._past = past
        self._found: dict[str, TaskStatus] = {}
        self._tries: Counter[str] = Counter()

    def known(self, tasks: Mapping[str, TaskStatus]) -> dict[str, TaskStatus]:
        """Return the status of those tasks of which it is known now who has cancelled them.

        `tasks` are those that the queue knows.
        """
        asked = [task for task, seen in tasks.items() if output.cancelled_by_somebody(seen)]
        new = [task for task in asked if task not in self._found and self._tries[task] < TRIES]
        if new:
            self._tries.update(new)
            with contextlib.suppress(Unreachable):
                for task, seen in self._past.records(new).items():
                    if seen.state == "cancelled" and not output.cancelled_by_somebody(seen):
                        self._found[task] = seen
        return {task: self._found[task] for task in asked if task in self._found}


def _array(task: str) -> str:
    return task.split("_")[0]
