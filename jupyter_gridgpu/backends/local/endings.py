"""The ends of jobs of this machine that left no result, and what is cleared up after them."""

from __future__ import annotations

import contextlib
import time

from jupyter_gridgpu.backends.base import last_log_line
from jupyter_gridgpu.backends.local.claims import JobOwner
from jupyter_gridgpu.model.job import Observation
from jupyter_gridgpu.store.paths import JobPaths, publish


def publish_result(job: JobPaths, copy: str) -> bool:
    """Publish the result of a worker that was killed between writing and publishing it.

    Return whether there was such a result.
    """
    written = job.copy(copy)
    return written.is_real() and written.result.is_file() and publish(written.result, job.result)


def launcher_failed(job: JobPaths, claim: JobOwner, started: float, reason: str) -> Observation:
    """Return what became of a job whose launcher, or whose container, started no worker."""
    # The launcher and the container runtime write the reason into the job's log.
    message = last_log_line(job.log)
    if not message:
        message = "The launcher ended before the worker began; runner.log may say why."
    ended = end_of(claim, started)
    return Observation("failed", reason, message, started=started, ended=ended)


def end_of(claim: JobOwner, started: float) -> float:
    """Return when a job ended whose worker was just found dead, in seconds since the epoch.

    The clock of the day may have been set since `started`, so the age of the worker is the limit.
    """
    took_s = max(time.time() - started, 0.0)
    age_s = claim.process.age_s() if claim.process is not None else None
    if age_s is not None:
        took_s = min(took_s, age_s)
    return started + took_s


def stopped_before_start() -> Observation:
    """Return the end of a job that was stopped before any worker had it."""
    return Observation("cancelled", "user", "Stopped before it started.")


def kill_leftovers(job_folder: str) -> None:
    """Kill the processes that a killed worker left behind.

    They are known by the variable GRIDGPU_JOB, in which every process of a job inherits the job's
    folder.
    """
    import psutil

    for process in psutil.process_iter():
        # Processes of other users cannot be looked at, and any process may end meanwhile.
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get("GRIDGPU_JOB") == job_folder:
                process.kill()
