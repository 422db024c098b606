"""The PanDA backend: each batch is one PanDA task, and files travel with the jobs.

Job N of a task runs the jobs of ours that stand in line N of the batch. The runner never waits for
PanDA. A batch is sent by a process of its own, which leaves its answer beside the batch; until the
answer is there, the runner comes again. A process that died is started again, and finds by the
unique name of the task what was sent before.

PanDA is asked for the state of jobs in Inquiry's thread. In the same thread, jobs that nobody wants
any more are killed. The kill is repeated until PanDA has registered it, since PanDA forgets the
commands that it gets in the first seconds of a task.
"""

from __future__ import annotations

import contextlib
import importlib.util
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_gridgpu.backends.base import Capabilities, Job
from jupyter_gridgpu.backends.batch.backend import BatchBackend
from jupyter_gridgpu.backends.batch.batches import Batch
from jupyter_gridgpu.backends.batch.inquiry import TaskStatus
from jupyter_gridgpu.backends.panda import client_call, credentials, outputs, sandbox, task_options
from jupyter_gridgpu.backends.panda.senders import BatchSenders
from jupyter_gridgpu.backends.panda.status import TaskFacts, task_status
from jupyter_gridgpu.backends.panda.task_ends import TaskEnds
from jupyter_gridgpu.backends.panda.task_map import attempts
from jupyter_gridgpu.errors import AnswerPending, BackendError, Unreachable
from jupyter_gridgpu.model.job import Observation
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.queues.gpu_request import architecture
from jupyter_gridgpu.store.paths import ScanPaths

_MISSING = "--on panda needs panda-client: pip install 'jupyter_gridgpu[panda]'."
YOUNG_S = 600.0  # for so long after PanDA took a task, PanDA may not know the task yet


class PandaBackend(BatchBackend):
    """Hands batches over to PanDA and follows their tasks.

    The id of a job is `TASK_NUMBER`, with the sequence number of its job in the task.
    """

    title = "PanDA"
    kill_s = 10.0  # from the pilot's SIGTERM to its SIGKILL
    batch_limit = 5000
    # A job's files come only when it has ended. Each task is much work for PanDA, so the points of
    # a sampler that learns are sent in large tasks, one generation at a time.
    capabilities = Capabilities(
        shows_files=False,
        by_generation=True,
        ignores={
            "disk": "PanDA gives each job the disk space that its site has",
            "shared": "jobs on the grid see no disk of this machine",
            "parallel": "PanDA starts as many jobs as its sites have room for",
        },
    )

    def __init__(self, scan: ScanSpec, paths: ScanPaths) -> None:
        super().__init__(scan, paths)
        self._senders = BatchSenders(paths)
        self._refused: dict[str, BackendError] = {}  # key -> why PanDA refused its batch
        self._followed: dict[str, Batch] = {}  # task -> its batch, while it has jobs to follow
        self._ends = TaskEnds()
        self._left = outputs.LeftByJobs(paths)
        self._identity = credentials.Identity()

    # what PanDA can do ------------------------------------------------------------------

    def check(self, ask: bool = True) -> None:
        """Raise BackendError if PanDA cannot be asked, or cannot do what the scan asks for."""
        if importlib.util.find_spec("pandaclient") is None:
            raise BackendError(_MISSING)
        _check_options(self._scan)
        if not ask:
            return
        try:
            found = client_call.call("check", {}, client_call.CHECK_S)
        except Unreachable as error:
            raise BackendError(f"Nothing was sent: {error}.") from None
        prefix = f"user.{found['nickname']}."
        output = self._scan.placement.output
        if output and not output.startswith(prefix):
            raise BackendError(f"--out {output}: PanDA wants your datasets to begin with {prefix}")

    def check_files(self, files: Mapping[str, Path]) -> None:
        """Raise BackendError if helper files (name beside the notebook -> path) are too large."""
        sandbox.check(files)

    def notice(self) -> str | None:
        """Return one sentence if the sign-in fails or soon ends, or PanDA is silent, else None."""
        return self._identity.expiry_warning() or self._identity.problem or super().notice()

    def _answer_file(self) -> Path:
        """Return the file in which PanDA's last answer is kept.

        PanDA is asked for single tasks, not for all tasks of a user. So the answer is of use to
        this scan alone, and lies in its folder.
        """
        return self._paths.batches / "seen.json"

    # handing over -----------------------------------------------------------------------

    def submit(self, jobs: Sequence[Job]) -> dict[str, str | Exception]:
        """Hand jobs over. Return for each key the job's id, or the error that kept it back."""
        try:
            # This notes jobs that PanDA has refused since they were sent.
            self.find([job.key for job in jobs])
        except Unreachable as error:
            return {job.key: error for job in jobs}
        answers: dict[str, str | Exception] = {}
        accepted = []
        for job in jobs:
            refusal = self._refused.pop(job.key, None)
            if refusal is None:
                accepted.append(job)
            else:
                answers[job.key] = refusal
        answers.update(super().submit(accepted))
        return answers

    def send(self, batch: Batch) -> str:
        """Start sending a batch. Always raises AnswerPending: the id is not known yet."""
        self._senders.start(batch)
        raise AnswerPending("It is being sent.")

    def find_batches(self, batches: Sequence[Batch]) -> dict[str, str]:
        """Return the ids of those batches that PanDA took, by name.

        Raises Unreachable while any of the batches is under way.
        """
        found: dict[str, str] = {}
        unknown: list[Unreachable] = []
        for batch in batches:
            try:
                found[batch.name] = self._senders.answer(batch)
            except Unreachable as error:
                unknown.append(error)
            except BackendError as error:
                # The batch counts as not sent. Its jobs get this error with the next submit.
                for task in batch.tasks:
                    self._refused.update(dict.fromkeys(task, error))
        if unknown:
            raise unknown[0]
        return found

    def task_id(self, batch_id: str, index: int) -> str:
        """Return the id of job `index` (from 1) of a PanDA task."""
        return f"{batch_id}_{index}"

    def close(self) -> None:
        """Wait for processes that have sent. A process that is still sending goes on by itself."""
        self._senders.close()

    # following --------------------------------------------------------------------------

    def poll(self, ids: dict[str, str]) -> dict[str, Observation]:
        """Return what is known of jobs now, by key. `ids` maps keys to ids."""
        followed = {}
        for key in ids:
            place = self._batches.place(key)
            if place is None:
                continue
            batch, _ = place
            task = self._batches.id_of(batch)
            if task:
                followed[task] = batch
        self._followed = followed
        if self._ends.pending:
            # Each question also kills what PanDA has made anew since the last one.
            self._inquiry.hurry()
        return super().poll(ids)

    def query(self) -> Mapping[str, TaskStatus]:
        """Return the status of the jobs that are followed, by id. Raises Unreachable."""
        self._identity = credentials.identity()
        # The runner's thread replaces this while PanDA is asked.
        followed = dict(self._followed)
        questions = {task: self._question(task, batch) for task, batch in followed.items()}
        if not questions:
            self._ends.pending = False
            return {}
        answers = client_call.call("ask", {"tasks": list(questions.values())}, client_call.ASK_S)
        found: dict[str, TaskStatus] = {}
        ending = False
        for answer in answers:
            task = answer["id"]
            unwanted = frozenset(questions[task]["unwanted"])
            statuses = self._statuses(task, followed[task], answer, unwanted)
            unwanted_ids = [self.task_id(task, number) for number in unwanted]
            ending |= any(not statuses[job].has_ended for job in unwanted_ids if job in statuses)
            found.update(statuses)
        self._ends.pending = ending
        return found

    def _question(self, task: str, batch: Batch) -> dict[str, Any]:
        """Return the question about a task, in the form that client.py reads."""
        unwanted = []
        kept = []
        for number, keys in enumerate(batch.tasks, 1):
            if all(self._paths.job(key).stop.exists() for key in keys):
                unwanted.append(number)
            if self._left.has_all_metadata(batch, number):
                kept.append(number)
        return {
            "id": task,
            "size": len(batch.tasks),
            "folder": str(outputs.metadata_folder(batch)),
            "unwanted": unwanted,
            "kept": kept,
            "killed": self._ends.is_registered(task),
        }

    def _statuses(
        self, task: str, batch: Batch, answer: dict[str, Any], unwanted: frozenset[int]
    ) -> dict[str, TaskStatus]:
        """Return the status of the jobs of a task from PanDA's answer, by id."""
        if "unknown" in answer:
            return self._unknown_task(task, batch)
        for number in answer.get("kept", ()):
            self._left.note_asked(batch, number)
        if answer.get("killed"):
            self._ends.note(task)
        facts = TaskFacts(
            architecture=architecture(self._scan.resources),
            attempts=attempts(self._scan),
            monitor=credentials.monitor(),
            unwanted=unwanted,
            long_killed=self._ends.is_long_registered(task),
            settled=self._left.settled(batch, answer["jobs"]),
        )
        found = task_status(answer, len(batch.tasks), facts, time.time())
        return {self.task_id(task, number): status for number, status in found.items()}

    def _unknown_task(self, task: str, batch: Batch) -> dict[str, TaskStatus]:
        """Return the status of the jobs of a task that PanDA does not know.

        PanDA takes a while to know a task that it has just taken. An older task gets no status, so
        its jobs are lost after some time.
        """
        age_s = time.time() - batch.engine_file.stat().st_mtime
        if age_s >= YOUNG_S:
            return {}
        waits = TaskStatus("queued", message="PanDA has taken the task and not begun with it.")
        return {self.task_id(task, number): waits for number in range(1, len(batch.tasks) + 1)}

    # when jobs end ----------------------------------------------------------------------

    def fetch_files(self, batch: Batch, index: int) -> None:
        """Write the files in the metadata of a PanDA job into the folders of our jobs."""
        # If the disk is full, what is missing is brought by the next call.
        with contextlib.suppress(OSError):
            outputs.take_metadata(self._paths, batch, index)

    def end(self, tasks: Sequence[str], hard: bool) -> None:
        """Do nothing: a job that is to end has a stop file, and `query` tells PanDA about it."""


def _check_options(scan: ScanSpec) -> None:
    """Raise BackendError for options that mean nothing to PanDA."""
    placement = scan.placement
    container = scan.container
    meaningless = {
        "qos": placement.qos,
        "constraint": placement.constraint,
        "bind": container.binds,
    }
    for name, value in meaningless.items():
        if value:
            raise BackendError(f"PanDA knows no --{name}: leave it out.")
    task_options.check(placement.options)
    if container.runtime != "auto":
        raise BackendError(
            "--runtime: at the grid's sites PanDA's pilot starts the image; leave it out."
        )
    secrets = scan.environment.secrets
    if secrets and not scan.environment.exposed:
        raise BackendError(
            f"--secret {secrets[0]}: on PanDA, jobs get it in a sandbox that others can download."
            " Leave it out, or say --expose-secrets to send it all the same."
        )
    image = container.image
    if image and not image.startswith(("docker://", "/cvmfs/")):
        raise BackendError(
            f"--image {image}: the grid sees docker://NAME and what lies below /cvmfs."
        )
