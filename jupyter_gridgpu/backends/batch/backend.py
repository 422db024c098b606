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

    A subclass sets `title` and defines `check`, `send`, `find_batches`, `task_id`, `query` and
    `end`. It may replace the other verbs of BatchSystem.
    """

    # Seconds between two looks at files. Inquiry decides when the batch system is asked.
    poll_s = 0.25

    def __init__(self, scan: ScanSpec, paths: ScanPaths) -> None:
        super().__init__(scan, paths)
        self._batches = BatchStore(paths)
        self._inquiry = Inquiry(self.title, self.query, self.query_past, self._answer_file())
        self._hand_over = HandOver(self, scan, self._batches, self._inquiry)
        self._tracker = JobTracker(self, scan, paths, self._batches, self._inquiry)

    def open(self) -> None:
        """Do nothing: a batch system needs no preparation."""

    def close(self) -> None:
        """Do nothing: the runner holds nothing of a batch system."""

    def slots(self) -> int | None:
        """Return None, which means any number: the batch system queues all jobs."""
        return None

    def notice(self) -> str | None:
        """Return one sentence for the user while the batch system is silent, else None."""
        return self._inquiry.notice()

    def submit(self, jobs: Sequence[Job]) -> dict[str, str | Exception]:
        """Hand jobs over. Jobs that the batch system has already are not sent again.

        Return for each key the id of its task, or the error that kept the job back.
        """
        return self._hand_over.submit(jobs)

    def find(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the task ids of those jobs that the batch system took, by key.

        Raises Unreachable if the answer cannot be had now.
        """
        return self._hand_over.find(keys)

    def poll(self, ids: dict[str, str]) -> dict[str, Observation]:
        """Return what is known of jobs now, by key. `ids` maps keys to tasks."""
        return self._tracker.poll(ids)

    def cancel(self, ids: dict[str, str]) -> None:
        """Ask jobs to end. `ids` maps keys to tasks."""
        self._tracker.cancel(ids)

    def collect(self, key: str, ident: str) -> None:
        """Do nothing: `fetch_files` has brought the files when the task ended."""

    def _answer_file(self) -> Path:
        """Return the file of the last answer, which the runners of all scans share."""
        # The file's name has the host in it: another machine with the same home may submit to
        # another cluster, and two clusters give the same numbers to their jobs.
        names = (self.title, self.cluster(), getpass.getuser(), socket.gethostname())
        name = re.sub(r"[^A-Za-z0-9._-]", "-", "-".join(names))[:200]
        return home.home() / ".engines" / f"{name}.json"
