"""The verbs of a batch system: what a new backend has to supply."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from jupyter_gridgpu.backends import travelling
from jupyter_gridgpu.backends.base import THREAD_VARIABLES, Capabilities, shared_gpu_environment
from jupyter_gridgpu.backends.batch.batches import Batch
from jupyter_gridgpu.backends.batch.by_hand import ended_by_hand
from jupyter_gridgpu.backends.batch.inquiry import TaskStatus
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.paths import ScanPaths


class BatchSystem(ABC):
    """One batch system, as hand-over and tracking of jobs use it.

    `title` is its name for people, such as "Slurm". `batch_limit` is how many tasks one call may
    hand over. A class for another batch system derives from BatchBackend, which derives from this.
    """

    title: str
    batch_limit = 1000
    capabilities = Capabilities()
    # Seconds from SIGTERM until the batch system kills a job that it preempts.
    kill_s: float | None = None
    # How long before its time limit the batch system sends SIGUSR1, at the latest.
    notice_s: float | None = None
    # For how many seconds the batch system surely knows a task that has ended, None if that is not
    # known. A task that waited less than this ago, and that it has forgotten, never started.
    remembers_s: float | None = None

    def __init__(self, scan: ScanSpec, paths: ScanPaths) -> None:
        self._scan = scan
        self._paths = paths

    @abstractmethod
    def check(self, ask: bool = True) -> None:
        """Raise BackendError if the batch system is not there or refuses such jobs.

        The error quotes the batch system. With `ask` false, no question is sent: only this machine
        is looked at.
        """

    def remarks(self) -> list[str]:
        """Return what the user shall know of how the scan would be sent, in sentences.

        It is called after `check`.
        """
        return []

    @abstractmethod
    def send(self, batch: Batch) -> str:
        """Hand a batch over and return the batch system's id for it.

        Raises BackendError if the batch is refused for good, QueueFull if it is refused only for
        now, and Unreachable if it is not known whether the batch was taken.
        """

    @abstractmethod
    def find_batches(self, batches: Sequence[Batch]) -> dict[str, str]:
        """Return the ids of those batches that the batch system has, by their names.

        Raises Unreachable if the answer cannot be had now.
        """

    @abstractmethod
    def task_id(self, batch_id: str, index: int) -> str:
        """Return the batch system's id of a task (from 1) of a batch."""

    @abstractmethod
    def query(self) -> Mapping[str, TaskStatus]:
        """Return the status of all tasks of this user, by task id. Runs in a thread.

        Raises Unreachable if the batch system does not answer.
        """

    def query_past(self, tasks: Sequence[str]) -> Mapping[str, TaskStatus]:
        """Return the status of tasks that `query` does not know, from an archive.

        Runs in a thread. A batch system without an archive returns nothing.
        """
        return {}

    def forgotten_unstarted(self) -> TaskStatus:
        """Return the status of a task that was forgotten, and that never started."""
        return ended_by_hand(f"Cancelled in {self.title} before it started")

    @abstractmethod
    def end(self, tasks: Sequence[str], hard: bool) -> None:
        """Tell the batch system to end tasks.

        If `hard` is false, the workers get time to save. Raises Unreachable if the batch system
        does not answer.
        """

    def allowed_tasks(self, sent: int) -> int:
        """Return how many more tasks may be handed over, after `sent` tasks in the same call."""
        # Most batch systems queue whatever they take; only the size of one call is bounded.
        return self.batch_limit

    def fetch_files(self, batch: Batch, index: int) -> None:  # noqa: B027  (files mostly lie here)
        """Bring the files of a task that has ended into the folders of its jobs.

        With a shared disk the files are there already, and nothing is done.
        """

    def limit_is_near(self) -> bool:
        """Return whether the time limit of a task may be near as soon as its worker starts."""
        return False

    def cluster(self) -> str:
        """Return a name for the cluster, so that the answers of two clusters are kept apart."""
        return "default"

    def environment(self) -> dict[str, str]:
        """Return the variables that every job has in addition to those of its node."""
        cores = self._scan.resources.cpus
        threads = {}
        if cores:
            # Libraries start as many threads as the node has cores, not as the job may use.
            threads = dict.fromkeys(THREAD_VARIABLES, str(cores))
        # What the user says counts more.
        return {**threads, **shared_gpu_environment(self._scan), **travelling.chosen(self._scan)}

    def check_files(self, files: Mapping[str, Path]) -> None:  # noqa: B027  (few limit them)
        """Raise BackendError if the helper files do not fit into what travels with a job.

        `files` maps the name that a file gets beside the notebook to its path here.
        """
