"""What the backends of batch systems have in common.

`hand_over.py` sends jobs in batches. `tracking.py` follows them and decides what became of each.
`inquiry.py` asks the batch system, seldom. `system.py` lists the verbs of a batch system, which is
what a new one has to supply.
"""

from __future__ import annotations

import getpass
import re
import socket
from collections.abc import Sequence
from pathlib import Path

from jupyter_gridgpu.backends.base import Job
from jupyter_gridgpu.backends.batch.batches import BatchStore
from jupyter_gridgpu.backends.batch.hand_over import HandOver
from jupyter_gridgpu.backends.batch.inquiry import Inquiry
from jupyter_gridgpu.backends.batch.system import BatchSystem
from jupyter_gridgpu.backends.batch.tracking import JobTracker
from jupyter_gridgpu.model.job import Observation
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.paths import ScanPaths


class BatchBackend(BatchSystem):
    """A Backend made of the verbs of a batch system and what all batch systems share.

    A subclass sets `title` and defines `check`, `send`, `sent`, `task_id`, `ask` and `end`, and
    where it needs to, the other verbs of BatchSystem.
    """

    # Between two looks at files. The batch system is asked at the pace of Inquiry.
    poll_s = 0.25

    def __init__(self, scan: ScanSpec, paths: ScanPaths) -> None:
        super().__init__(scan, paths)
        self._batches = BatchStore(paths)
        self._inquiry = Inquiry(self.title, self.ask, self.ask_past, self._answer_file())
        self._hand_over = HandOver(self, scan, self._batches, self._inquiry)
        self._tracker = JobTracker(self, scan, paths, self._batches, self._inquiry)

    def open(self) -> None:
        """Do nothing: a batch system needs no preparation."""

    def close(self) -> None:
        """Do nothing: nothing is held."""

    def slots(self) -> int | None:
        """Return None: the batch system queues all jobs."""
        return None

    def notice(self) -> str | None:
        """Return one sentence for the user while the batch system is silent, else None."""
        return self._inquiry.notice()

    def submit(self, jobs: Sequence[Job]) -> dict[str, str | Exception]:
        """Hand jobs over; those that the batch system has already are not sent again."""
        return self._hand_over.submit(jobs)

    def find(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the task ids of those jobs that the batch system took, by key.

        Raises Unreachable if that cannot be told now.
        """
        return self._hand_over.find(keys)

    def poll(self, ids: dict[str, str]) -> dict[str, Observation]:
        """Return what is seen of jobs now. `ids` maps keys to tasks."""
        return self._tracker.poll(ids)

    def cancel(self, ids: dict[str, str]) -> None:
        """Ask jobs to end. `ids` maps keys to tasks."""
        self._tracker.cancel(ids)

    def collect(self, key: str, ident: str) -> None:
        """Do nothing: files were brought when the batch system said that the task had ended."""

    def _answer_file(self) -> Path:
        """Return the file of the last answer, which the runners of all scans share."""
        # The host is in its name because another machine with the same home may submit to another
        # cluster, and clusters number their jobs alike.
        names = (self.title, self.cluster(), getpass.getuser(), socket.gethostname())
        name = re.sub(r"[^A-Za-z0-9._-]", "-", "-".join(names))[:200]
        return home.home() / ".engines" / f"{name}.json"
