"""The grid by PanDA: a batch is one PanDA task, of which job N runs the keys of line N; files travel with the jobs.

The runner never waits for PanDA: a batch is sent by a process of its own, which leaves its answer beside the batch, and is
asked again until it has; one that died is started again and finds by the task's unique name what it had sent. What
PanDA says of jobs is asked in Inquiry's thread; there, too, jobs that nobody wants any more are killed, each time anew until
PanDA has it, since it forgets what it is told of a task in its first seconds.
"""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_gridgpu.backends.base import Capabilities, Job
from jupyter_gridgpu.backends.batch.backend import BatchBackend
from jupyter_gridgpu.backends.batch.batches import Batch
from jupyter_gridgpu.backends.batch.inquiry import TaskStatus
from jupyter_gridgpu.backends.panda import asking, credentials, outputs, sandbox
from jupyter_gridgpu.backends.panda.status import TaskFacts, task_status
from jupyter_gridgpu.backends.panda.task_map import attempts
from jupyter_gridgpu.errors import BackendError, Underway, Unreachable
from jupyter_gridgpu.model.job import Observation
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.queues.gpu_request import architecture
from jupyter_gridgpu.store.paths import ScanPaths

_MISSING = "--on panda needs panda-client: pip install 'jupyter_gridgpu[panda]'."
YOUNG_S = 600.0  # that a task may be unknown after it was taken
TRIES = 3  # at the metadata of a job that finished


class PandaBackend(BatchBackend):
    title = "PanDA"
    batch_limit = 5000
    # A job's files come when it has ended. A task is much work for PanDA, so a sampler that learns
    # gets a whole task at a time.
    capabilities = Capabilities(shows_files=False, by_generation=True)

    def __init__(self, scan: ScanSpec, paths: ScanPaths) -> None:
        super().__init__(scan, paths)
        self._sending: dict[str, subprocess.Popen[bytes]] = {}
        self._leaving: list[subprocess.Popen[bytes]] = []  # processes that have answered
        self._refused: dict[str, BackendError] = {}
        self._asked: dict[str, Batch] = {}  # tasks that still have jobs of ours, by PanDA's id
        self._tried: dict[tuple[str, int], int] = {}  # how often metadata of a job were asked for
        self._killed: set[str] = set()
        self._rucio = outputs.Rucio(paths)
        self._identity = credentials.Identity()

    def check(self, ask: bool = True) -> None:
        if importlib.util.find_spec("pandaclient") is None:
            raise BackendError(_MISSING)
        self._check_wishes()
        if not ask:
            return
        try:
            found = asking.call("check", {}, asking.CHECK_S)
        except Unreachable as error:
            raise BackendError(f"Nothing was sent: {error}.") from None
        mine, out = f"user.{found['nickname']}.", self._scan.placement.output
        if out and not out.startswith(mine):
            raise BackendError(f"--out {out}: PanDA wants your datasets to begin with {mine}")

    def _check_wishes(self) -> None:
        place, box = self._scan.placement, self._scan.container
        given = {"qos": place.qos, "constraint": place.constraint, "bind": box.binds}
        for name, value in given.items():
            if value:
                raise BackendError(f"PanDA knows no --{name}: leave it out.")
        if box.runtime != "auto":
            raise BackendError(
                "--runtime: at the grid's sites PanDA's pilot starts the image; leave it out."
            )
        if box.image and not box.image.startswith(("docker://", "/cvmfs/")):
            raise BackendError(
                f"--image {box.image}: the grid sees docker://NAME and what lies below /cvmfs."
            )

    def check_files(self, files: Mapping[str, Path]) -> None:
        sandbox.check(files)

    def _answer_file(self) -> Path:
        """PanDA has no question for all tasks of a user: what it says of this scan's is nobody else's to read."""
        return self._paths.batches / "seen.json"

    # handing over -----------------------------------------------------------------------

    def submit(self, jobs: Sequence[Job]) -> dict[str, str | Exception]:
        try:
            self.find([job.key for job in jobs])
        except Unreachable as later:
            return {job.key: later for job in jobs}
        refused: dict[str, str | Exception] = {
            job.key: error for job in jobs if (error := self._refused.pop(job.key, None))
        }
        return {**refused, **super().submit([job for job in jobs if job.key not in refused])}

    def send(self, batch: Batch) -> str:
        self._start(batch)
        raise Underway("It is being sent.")

    def sent(self, batches: Sequence[Batch]) -> dict[str, str]:
        """Return the ids of batches that were taken; those that are under way are asked for later."""
        self._leaving = [process for process in self._leaving if process.poll() is None]
        found: dict[str, str] = {}
        waits: list[Unreachable] = []
        for batch in batches:
            try:
                found[batch.name] = self._answer(batch)
            except Unreachable as error:
                waits.append(error)
            except BackendError as error:
                self._refused.update({key: error for task in batch.tasks for key in task})
        if waits:
            raise waits[0]
        return found

    def _answer(self, batch: Batch) -> str:
        """Return the id of a batch. Raises Unreachable until it is known, EngineError if PanDA refused it."""
        target = batch.folder / "answer.json"
        if target.exists():
            self._leaving += [self._sending.pop(batch.name)] if batch.name in self._sending else []
            try:
                return str(asking.answered(target.read_text(encoding="utf-8"))["id"])
            except Unreachable as error:
                target.unlink()
                raise Unreachable(
                    f"It was not sent: {str(error).rstrip('.')}; it is tried again."
                ) from None
        process = self._sending.get(batch.name)
        if process is None or process.poll() is not None:
            self._start(batch)
        raise Underway("It is being sent.")

    def _start(self, batch: Batch) -> None:
        asked = {"folder": str(self._paths.folder), "batch": batch.name}
        self._sending[batch.name] = asking.start("send", asked, batch.folder / "answer.json")

    def close(self) -> None:
        """Wait for processes that have answered; one that has not goes on by itself."""
        for process in self._leaving:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)

    def task_id(self, batch_id: str, index: int) -> str:
        return f"{batch_id}_{index}"

    # looking ------------------------------------------------------------------------------

    def poll(self, ids: dict[str, str]) -> dict[str, Observation]:
        places = (self._batches.place(key) for key in ids)
        batches = {
            batch.name: batch for place in places if place is not None for batch in place[:1]
        }
        self._asked = {
            ident: batch for batch in batches.values() if (ident := self._batches.ident(batch))
        }
        return super().poll(ids)

    def ask(self) -> Mapping[str, TaskStatus]:
        self._identity = credentials.identity()
        asked = dict(self._asked)
        questions = {ident: self._question(ident, batch) for ident, batch in asked.items()}
        if not questions:
            return {}
        answers = asking.call("ask", {"tasks": list(questions.values())}, asking.ASK_S)
        seen: dict[str, TaskStatus] = {}
        for body in answers:
            ident = body["id"]
            seen |= self._seen(ident, asked[ident], body, frozenset(questions[ident]["unwanted"]))
        return seen

    def _question(self, ident: str, batch: Batch) -> dict[str, Any]:
        numbers = range(1, len(batch.tasks) + 1)
        unwanted = [
            number
            for number in numbers
            if all(self._stopped(key) for key in batch.tasks[number - 1])
        ]
        kept = [
            number
            for number in numbers
            if outputs.has_meta(batch, number) or self._tried.get((ident, number), 0) >= TRIES
        ]
        return {
            "id": ident, "size": len(batch.tasks), "folder": str(outputs.meta_folder(batch)),
            "unwanted": unwanted, "kept": kept, "killed": ident in self._killed,
        }  # fmt: skip

    def _stopped(self, key: str) -> bool:
        return self._paths.job(key).stop.exists()

    def _seen(
        self, ident: str, batch: Batch, body: dict[str, Any], unwanted: frozenset[int]
    ) -> dict[str, TaskStatus]:
        if "unknown" in body:
            young = time.time() - batch.engine_file.stat().st_mtime < YOUNG_S
            waits = TaskStatus("queued", message="PanDA has taken the task and not begun with it.")
            return (
                {self.task_id(ident, n): waits for n in range(1, len(batch.tasks) + 1)}
                if young
                else {}
            )
        for number in body.get("kept", ()):
            self._tried[ident, number] = self._tried.get((ident, number), 0) + 1
        if body.get("killed"):
            self._killed.add(ident)
        named = {
            job["seq"]: job["outputs"] for job in body["jobs"] if job["jobStatus"] == "finished"
        }
        settled = frozenset(
            number for number, names in named.items() if self._settled(ident, batch, number, names)
        )
        about = TaskFacts(
            architecture(self._scan.resources),
            attempts(self._scan),
            credentials.monitor(),
            unwanted,
            settled,
        )
        found = task_status(body, len(batch.tasks), about, time.time())
        return {self.task_id(ident, number): what for number, what in found.items()}

    def _settled(self, ident: str, batch: Batch, number: int, names: Sequence[str]) -> bool:
        """Whether all is here of a finished job that will come."""
        came = self._rucio.settled(batch, number, names)
        return came and (
            outputs.has_meta(batch, number) or self._tried.get((ident, number), 0) >= TRIES
        )

    def bring(self, batch: Batch, index: int) -> None:
        with contextlib.suppress(OSError):  # the next look tries again
            outputs.take_meta(self._paths, batch, index)

    def notice(self) -> str | None:
        return self._identity.words() or self._identity.problem or super().notice()

    # ending -------------------------------------------------------------------------------

    def end(self, tasks: Sequence[str], hard: bool) -> None:
        """PanDA is told with the next question: whose jobs are to end has a file that says so."""
