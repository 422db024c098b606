"""The claim of a job: the file that names the one process that runs the job.

A claim can be made only once. Whoever makes it first owns the job, so a job that was handed over
twice still runs once. A worker claims a job to run it. A runner claims a job that no worker has
taken, to make sure that none ever will.
"""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_gridgpu.store.paths import COPY_NAME, JobPaths, publish, read_json, write_json
from jupyter_gridgpu.store.process import Process


@dataclass(frozen=True)
class JobOwner:
    """Who took a job."""

    process: Process | None  # None: a runner took the job, so that no worker can
    copy: str | None  # the name of the copy's folder; None if the claim names no sound one


def read_claim(job: JobPaths) -> JobOwner | None:
    """Return the claim of a job, or None while nobody has taken the job."""
    body = read_json(job.claim)
    if not isinstance(body, dict):
        return None
    copy = body.get("copy")
    # The name becomes part of a path that is removed later, so it must be nothing but a name.
    if not isinstance(copy, str) or not COPY_NAME.fullmatch(copy):
        copy = None
    return JobOwner(Process.from_json(body), copy)


def claim_time(job: JobPaths) -> float:
    """Return when a job was claimed, in seconds since the epoch. Raises OSError without a claim."""
    return job.claim.stat().st_mtime


def claim_for_runner(job: JobPaths) -> bool:
    """Take a job so that no worker can, and return whether that worked."""
    part = job.folder / ".claim.runner"
    try:
        write_json(part, {"cancelled": True})
        return publish(part, job.claim)
    except OSError:
        # The disk may be full, for example. The next poll tries again.
        return False
    finally:
        part.unlink(missing_ok=True)
