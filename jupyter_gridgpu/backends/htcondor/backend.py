"""The HTCondor backend: each batch is one cluster of jobs, with or without a shared disk.

Jobs are of the vanilla universe and start our launcher, which finds the container runtime on the
node, as on every batch system. Where files travel with the jobs and there is an image, jobs are of
the container universe instead, because HTCondor then brings the image to the node as well.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import re
import zlib
from collections.abc import Mapping, Sequence

from jupyter_gridgpu.backends import travelling
from jupyter_gridgpu.backends.base import ONLY_PANDA, Capabilities
from jupyter_gridgpu.backends.batch.backend import BatchBackend
from jupyter_gridgpu.backends.batch.batches import Batch, sending, still_sending
from jupyter_gridgpu.backends.batch.inquiry import PAST_LIMIT, TaskStatus
from jupyter_gridgpu.backends.htcondor import ads
from jupyter_gridgpu.backends.htcondor.bindings import call
from jupyter_gridgpu.backends.htcondor.checks import brought_image, check_scan, usable_files
from jupyter_gridgpu.backends.htcondor.description import description, environment_text
from jupyter_gridgpu.backends.htcondor.fetcher import SpoolFetcher
from jupyter_gridgpu.backends.htcondor.start_script import shell_arguments
from jupyter_gridgpu.backends.htcondor.submit_options import SubmitOptions, submit_options
from jupyter_gridgpu.backends.htcondor.transfer import MIRROR_VARIABLE, FileTransfer
from jupyter_gridgpu.errors import BackendError, QueueFull, Unreachable
from jupyter_gridgpu.model.job import Observation
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.opener import create_plain
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.store.tail import tail_text
from jupyter_gridgpu.transport import scan_secrets

_MISSING = (
    "--on htcondor needs HTCondor's Python bindings: pip install 'jupyter_gridgpu[htcondor]'."
)
_TASK_ID = re.compile(r"\d{1,10}\.\d{1,10}")
# How a schedd says that it takes no more jobs. It names the limit MAX_JOBS_SUBMITTED; for the
# limits per owner, per submission and while it makes the jobs, it gives only a negative number.
_FULL = re.compile(r"MAX_JOBS_|Schedd says -[234]\b")
_ERROR_BYTES = 4096
# Files that go through the spool of a schedd take their time, and pools that want this (CERN) take
# no more jobs in one call.
SPOOL_BATCH = 100


class HTCondorBackend(BatchBackend):
    """Hands batches over to HTCondor and follows their tasks. A task id is `CLUSTER.PROC`."""

    title = "HTCondor"
    capabilities = Capabilities(
        ignores={"queue": "HTCondor has no queues; say --constraint for what nodes must have"}
        | ONLY_PANDA
    )

    def __init__(self, scan: ScanSpec, paths: ScanPaths) -> None:
        super().__init__(scan, paths)
        self._transfer: FileTransfer | None = None  # None: nodes see the scan's folder
        if not scan.placement.shared:
            self._transfer = FileTransfer(paths, scan_secrets.kept_file(scan))
        self._fetcher = SpoolFetcher(scan.id)
        self._queued: set[str] = set()  # tasks that were in the queue at the last look
        # What is known of tasks that have left the queue. They do not change any more, so the
        # history, which is slow to search, is asked once for each.
        self._left: dict[str, TaskStatus] = {}

    @functools.cached_property
    def _options(self) -> SubmitOptions:
        """What --engine-option says. Raises BackendError if it may not be said."""
        return submit_options(self._scan.placement.options)

    # what HTCondor can do ---------------------------------------------------------------

    def check(self, ask: bool = True) -> None:
        """Raise BackendError if HTCondor is not there or cannot do what the scan asks for."""
        if importlib.util.find_spec("htcondor2") is None:
            raise BackendError(_MISSING)
        options = self._options
        check_scan(self._scan, options)
        if not ask:
            return
        try:
            call(
                "ready",
                constraint=self._scan.placement.constraint,
                expressions=options.expressions(),
                send_credential=options.send_credential,
            )
        except Unreachable as error:
            raise BackendError(f"HTCondor does not answer: {error}") from None

    def environment(self) -> dict[str, str]:
        """Return the variables that every job has in addition to those of its node."""
        env = super().environment()
        if self._transfer:
            env[MIRROR_VARIABLE] = "1"
        return env

    def slots(self) -> int | None:
        """Return how many jobs may be handed over and not ended; None means any number.

        HTCondor starts as many jobs of a cluster as it has room for. So `--parallel` is kept by
        handing over no more than that.
        """
        if self._scan.parallel:
            return self._scan.parallel * self._scan.per_job
        return None

    def allowed_tasks(self, sent: int) -> int:
        """Return how many more tasks may be handed over, after `sent` tasks in the same call."""
        if self._options.spool:
            return SPOOL_BATCH
        return self.batch_limit

    def notice(self) -> str | None:
        """Return one sentence if HTCondor is silent, or what jobs left cannot be fetched."""
        return super().notice() or self._fetcher.problem

    def cluster(self) -> str:
        """Return a name for the pool, so that the answers of two pools are kept apart."""
        # The environment may choose another configuration, and with it another pool.
        settings = [
            f"{name}={value}"
            for name, value in sorted(os.environ.items())
            if name.startswith(("CONDOR_", "_CONDOR_"))
        ]
        if not settings:
            return "default"
        return f"{zlib.crc32(' '.join(settings).encode()):08x}"

    # handing over -----------------------------------------------------------------------

    def send(self, batch: Batch) -> str:
        """Hand a batch over and return its cluster.

        Raises QueueFull if HTCondor takes no more jobs for now, BackendError if it refuses the
        batch, and Unreachable if it is not known whether HTCondor took the batch.
        """
        if self._transfer:
            self._transfer.pack(batch)
        ident = self._ident(batch)
        arguments = shell_arguments(self._scan, self._paths, brought_image(self._scan))
        commands = description(self._scan, ident, arguments)
        commands.update(self._file_commands(batch))
        commands["environment"] = environment_text(travelling.passed(self._scan, os.environ))
        options = self._options
        tasks = [
            {"number": str(number), "keys": " ".join(keys)}
            for number, keys in enumerate(batch.tasks, 1)
        ]
        try:
            # The sending process holds this lock, too. If the runner is killed, the next runner
            # sees that the batch may yet be taken.
            with sending(batch) as lock:
                cluster = call(
                    "submit",
                    keep=lock,
                    description=commands,
                    tasks=tasks,
                    ident=ident,
                    since=self._scan.created,
                    spool=options.spool,
                    send_credential=options.send_credential,
                )
        except Unreachable:
            raise
        except BackendError as error:
            text = f"HTCondor refused it: {error}"
            if _FULL.search(str(error)):
                raise QueueFull(text) from None
            raise BackendError(text) from None
        return str(cluster)

    def find_batches(self, batches: Sequence[Batch]) -> dict[str, str]:
        """Return the clusters of those batches that HTCondor has, by name. Raises Unreachable."""
        if any(still_sending(batch) for batch in batches):
            raise Unreachable("an earlier runner is still sending")
        names = {self._ident(batch): batch.name for batch in batches}
        found = call(
            "find", idents=list(names), since=self._scan.created, spool=self._options.spool
        )
        return {names[ident]: str(cluster) for ident, cluster in found.items() if ident in names}

    def task_id(self, batch_id: str, index: int) -> str:
        """Return the id of a task (from 1) of a batch; HTCondor counts processes from 0."""
        return f"{batch_id}.{index - 1}"

    def _ident(self, batch: Batch) -> str:
        """Return the name by which HTCondor knows a batch, and no other batch."""
        return f"{self._scan.id}/{batch.name}"

    def _file_commands(self, batch: Batch) -> dict[str, str]:
        """Return the commands that say which files travel, and where output goes."""
        if self._transfer:
            in_place = usable_files(self._scan, self._transfer.seen_by_nodes())
            return self._transfer.description(
                batch, brought_image(self._scan), self._options.spool, in_place
            )
        commands = {
            "initialdir": str(self._paths.folder),
            "output": "/dev/null",
            "error": f"{batch.folder}/$(number).err",
            "transfer_output_files": '""',
        }
        if self._options.spool:
            # Jobs leave what counts in the scan's folder, so nothing waits in the queue for us.
            commands["leave_in_queue"] = "False"
        return commands

    # following --------------------------------------------------------------------------

    def query(self) -> Mapping[str, TaskStatus]:
        """Return what HTCondor says of all tasks of this user, by task id. Raises Unreachable."""
        answer = call("queue")
        fits = answer["fits"]
        tasks = {}
        for ad in answer["ads"]:
            fitting_machines = fits.get(str(ad.get("ClusterId")))
            tasks[ads.task_id(ad)] = ads.queue_status(ad, fitting_machines, answer["pool"])
        # Tasks that left the queue since the last look have ended: the history says how.
        gone = [task for task in self._queued if task not in tasks]
        self._queued = set(tasks)
        return {**tasks, **self.query_past(gone[:PAST_LIMIT])}

    def query_past(self, tasks: Sequence[str]) -> Mapping[str, TaskStatus]:
        """Return what HTCondor's history says of tasks. Raises Unreachable."""
        new = [task for task in tasks if task not in self._left and _TASK_ID.fullmatch(task)]
        if new:
            answer = call("history", tasks=new, since=self._scan.created)
            for ad in answer["ads"]:
                self._left[ads.task_id(ad)] = ads.history_status(ad, answer["pool"])
        return {task: self._left[task] for task in tasks if task in self._left}

    def poll(self, ids: dict[str, str]) -> dict[str, Observation]:
        """Return what is known of jobs now, by key. `ids` maps keys to task ids."""
        # When a job has ended, its task will soon end, too.
        running = self._running_tasks(ids)
        if self._transfer and self._transfer.read(running):
            self._inquiry.hurry()
        if self._transfer and self._options.spool and running and self._fetcher.look():
            self._inquiry.hurry()
        return super().poll(ids)

    def _running_tasks(self, ids: dict[str, str]) -> set[tuple[Batch, int]]:
        """Return the tasks that ran when the queue was last looked at; only they print output."""
        answer = self._inquiry.answer
        if answer is None:
            return set()
        running = set()
        for key, task in ids.items():
            status = answer.tasks.get(task)
            if status is None or status.state != "running":
                continue
            place = self._batches.place(key)
            if place is not None:
                running.add(place)
        return running

    # when tasks end ---------------------------------------------------------------------

    def fetch_files(self, batch: Batch, index: int) -> None:
        """Bring the files of a task that has ended into the folders of its jobs."""
        if self._transfer:
            self._transfer.unpack(batch, index)
            return
        # On a node that does not see the scan's folder, the launcher cannot write its log there.
        # What it writes to stderr instead is brought back by HTCondor.
        text = ""
        with contextlib.suppress(OSError):
            text = tail_text(batch.folder / f"{index}.err", _ERROR_BYTES).strip()
        if not text:
            return
        for key in batch.tasks[index - 1]:
            log = self._paths.job(key).log
            with contextlib.suppress(OSError):
                create_plain(log, f"{text}\n".encode())

    def end(self, tasks: Sequence[str], hard: bool) -> None:
        """Remove tasks from the queue. Their workers get time to save, unless `hard` is true.

        Raises Unreachable.
        """
        known = [task for task in tasks if _TASK_ID.fullmatch(task)]
        if known:
            call("end", tasks=known, hard=hard)
