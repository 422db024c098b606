"""Makes observations of jobs out of their files and the status of their tasks."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from typing import Any

from jupyter_gridgpu.backends.base import (
    DAMAGED_RESULT,
    PLACE_LIMIT,
    copy_info,
    gpu_label,
    has_damaged_result,
    last_log_line,
    notebook_of,
    plausible,
    read_result,
)
from jupyter_gridgpu.backends.batch.batches import BatchStore
from jupyter_gridgpu.backends.batch.inquiry import TaskStatus
from jupyter_gridgpu.backends.signs_of_life import SILENT_S, SignsOfLife
from jupyter_gridgpu.model.job import Observation, one_line
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.paths import CopyPaths, ScanPaths

# A new attempt would end for the same of these reasons again.
LASTING_REASONS = ("timeout", "image", "setup", "submit")


class ObservationBuilder:
    """Builds the Observation of a job. JobTracker decides which method describes the job.

    `status` is what the batch system says about a job's task, or None if it says nothing. `copy`
    is the newest copy of the job, or None if no worker has started.
    """

    def __init__(
        self, title: str, scan: ScanSpec, paths: ScanPaths, batches: BatchStore, shows_files: bool
    ) -> None:
        """`title` names the batch system; `shows_files` is that of its Capabilities."""
        self._title = title
        self._scan = scan
        self._paths = paths
        self._batches = batches
        self._shows_files = shows_files
        self._signs = SignsOfLife(time.monotonic)

    def newest_copy(self, key: str) -> CopyPaths | None:
        """Return the newest copy of a job. A batch system may start a job several times."""
        # Older copies belong to earlier starts; their node may even still run them.
        copies = self._paths.job(key).copies()
        if not copies:
            return None
        return copies[-1]

    def result(self, key: str, status: TaskStatus | None) -> Observation | None:
        """Return what a job's result says, or None if there is no sound result."""
        result = read_result(self._paths, key)
        if result is None:
            return None
        if result.state == "failed" and status is not None and status.reason == "oom":
            # The worker saw only that its kernel died. The batch system knows that the job took
            # too much memory.
            result = replace(result, reason="oom", message=status.message)
        if result.reason == "preempted" and status is not None:
            result = _as_known_better(result, status)
        return self._placed(result, status, _info(self.newest_copy(key)))

    def running(self, key: str, status: TaskStatus | None, copy: CopyPaths) -> Observation:
        """Return the observation of a job that runs, as the files of its copy show it."""
        info = copy_info(copy)
        started = plausible(info.get("started")) or copy.made()
        notebook = notebook_of(self._paths, key, copy.folder.name)
        message = None
        if status is not None and status.state == "running":
            message = status.message or self._silence(key, copy) or ""
        return self._placed(
            Observation("running", message=message, started=started, notebook=notebook),
            status,
            info,
        )

    def _silence(self, key: str, copy: CopyPaths) -> str | None:
        """Return a sentence if the worker of a copy has given no sign of life for long, else None.

        A batch system may take many minutes to notice that a node is frozen or gone.
        """
        if not self._shows_files:
            return None
        try:
            sign = copy.metrics.stat().st_mtime
        except OSError:  # the kernel has not started, or the disk is away
            return None
        silent_s = self._signs.silent_s(key, sign)
        if silent_s < SILENT_S:
            return None
        return f"No sign of life from the worker for {silent_s // 60:.0f} min."

    def forget(self, key: str) -> None:
        """Forget a job that has ended."""
        self._signs.forget(key)

    def waiting_for_turn(self, key: str, status: TaskStatus) -> Observation | None:
        """Return the observation of a job that waits for another job of its task, else None."""
        first, *others = self._batches.task_keys(key)
        # Where files come only at the end, a job without files may well be running.
        if status.state != "running" or not others or not self._shows_files:
            return None
        variant = first.split(".")[0]
        return Observation("queued", message=f"Waits for its turn in the job that runs {variant}.")

    def without_files(self, status: TaskStatus) -> Observation:
        """Return the observation of a job that has no files yet, from the batch system alone."""
        message = status.message
        if status.state == "running":
            # What was said while the job waited does not hold any more.
            message = message or ""
        return Observation(
            status.state,
            message=message,
            started=status.started,
            where=status.where,
            node=status.node,
            link=status.link,
        )

    def without_result(self, key: str, status: TaskStatus, copy: CopyPaths | None) -> Observation:
        """Return the end of a job that left no result, as the batch system tells it."""
        state = "failed"
        reason = status.reason
        if status.state == "cancelled":
            state = "cancelled"
        elif reason is None:
            reason = "node"  # a worker that is not hindered always leaves a result
        message = status.message or f"{self._title} says that the job ended; it left no result."
        damaged = state == "failed" and has_damaged_result(self._paths, key)
        if damaged:
            # A batch system that knows of no other reason says only that there was no result.
            known = status.message if reason != "node" else None
            message = " ".join(filter(None, [known, DAMAGED_RESULT]))
        notebook = None
        if copy is not None:
            notebook = notebook_of(self._paths, key, copy.folder.name)
        elif not damaged:
            # No worker started, so the launcher or the container runtime may have said why.
            launch_words = self._launch_message(key)
            if launch_words:
                message = f"{message} {launch_words}"
        observation = Observation(
            state,
            reason,
            message,
            started=status.started,
            ended=status.ended or time.time(),
            notebook=notebook,
        )
        return self._placed(observation, status, _info(copy))

    def cancelled_unstarted(self) -> Observation:
        """Return the end of a job that was cancelled before it started."""
        return Observation("cancelled", "user", "Cancelled before it started.", ended=time.time())

    def lost(self, key: str, unknown_time: str) -> Observation:
        """Return the end of a job that the batch system has not known for `unknown_time`: `5 min`.

        The job is lost, unless it left a result, which then is damaged.
        """
        if has_damaged_result(self._paths, key):
            return Observation("failed", "node", DAMAGED_RESULT, ended=time.time())
        message = (
            f"Lost: {self._title} no longer knows this job and no result came in {unknown_time}."
        )
        return Observation("lost", message=message, ended=time.time())

    def with_gpu_seconds(self, observation: Observation) -> Observation:
        """Return the observation of an ended job with the GPU time that counts for it."""
        seconds = 0.0
        if observation.started:
            seconds = max((observation.ended or 0.0) - observation.started, 0.0)
        gpus = self._scan.resources.gpus / self._scan.per_gpu
        return replace(observation, gpu_s=seconds * gpus)

    def _placed(
        self, observation: Observation, status: TaskStatus | None, info: dict[str, Any]
    ) -> Observation:
        """Return an observation with queue, node, GPU and link; `info` is from the copy.json."""
        where, node, link = None, None, None
        if status is not None:
            where, node, link = status.where, status.node, status.link
        return replace(
            observation,
            where=where or self._scan.placement.queue,
            node=node or one_line(info.get("host"), PLACE_LIMIT),
            gpu=gpu_label(info),
            link=link,
        )

    def _launch_message(self, key: str) -> str | None:
        """Return the last line of launch.log, or None if there is none."""
        # The launcher runs once for a task and writes to the folder of the task's first job.
        for job in (self._batches.task_keys(key)[0], key):
            with contextlib.suppress(OSError):
                line = last_log_line(self._paths.job(job).log)
                if line:
                    return line
        return None


def _info(copy: CopyPaths | None) -> dict[str, Any]:
    return {} if copy is None else copy_info(copy)


def _as_known_better(preempted: Observation, status: TaskStatus) -> Observation:
    """Return the end of a job whose worker saw only a signal, as the batch system explains it."""
    if status.state == "cancelled":
        # Its user sent the signal.
        message = status.message or preempted.message
        return replace(preempted, state="cancelled", reason="user", message=message)
    if status.state == "failed" and (status.given_up or status.reason in LASTING_REASONS):
        # A job that was preempted is sent again, and would only meet the same limit again.
        return replace(preempted, reason=status.reason, message=status.message)
    return preempted
