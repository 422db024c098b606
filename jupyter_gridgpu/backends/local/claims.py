"""The claim of a job: the file that names the one process that runs the job.

A claim can be made only once. Whoever makes it first owns the job, so a job that was handed over
twice still runs once. A worker claims a job to run it. A runner claims a job that no worker has
taken, to make sure that none ever will.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.opener import read_start
from jupyter_gridgpu.store.paths import COPY_NAME, JobPaths, publish, sync_file, write_json
from jupyter_gridgpu.store.process import Process

CLAIM_BYTES = 100_000


@dataclass(frozen=True)
class JobOwner:
    """Who took a job."""

    process: Process | None  # None: a runner took the job, or the claim is damaged
    copy: str | None = None  # the name of the copy's folder; None if the claim names no sound one
    folder: str | None = None  # of the job when it was claimed; None in claims of older workers
    # The claim is there and names nobody: a power cut may leave it empty, for example.
    damaged: bool = False


def read_claim(job: JobPaths) -> JobOwner | None:
    """Return the claim of a job, or None while nobody has taken the job.

    Raises OSError if the claim may be there and cannot be read now.
    """
    try:
        body = _read(job)
    except FileNotFoundError:
        if os.path.lexists(job.claim):  # a link that leads nowhere also keeps workers out
            return JobOwner(None, damaged=True)
        return None
    if not isinstance(body, dict):
        return JobOwner(None, damaged=True)
    if body.get("cancelled") is True:
        return JobOwner(None)
    copy, folder = body.get("copy"), body.get("folder")
    # The name becomes part of a path that is removed later, so it must be nothing but a name.
    if not isinstance(copy, str) or not COPY_NAME.fullmatch(copy):
        copy = None
    if not isinstance(folder, str):
        folder = None
    process = Process.from_json(body)
    return JobOwner(process, copy, folder, damaged=process is None)


def _read(job: JobPaths) -> object:
    """Return the JSON in a claim, or None if there is none in it. Raises OSError."""
    try:
        return parse_json(read_start(job.claim, CLAIM_BYTES))
    except (PermissionError, ValueError):
        return None


def claim_time(job: JobPaths) -> float:
    """Return when a job was claimed, in seconds since the epoch. Raises OSError without a claim."""
    return job.claim.lstat().st_mtime


def claim_for_runner(job: JobPaths) -> bool:
    """Take a job so that no worker can, and return whether that worked."""
    part = job.folder / ".claim.runner"
    try:
        write_json(part, {"cancelled": True})
        sync_file(part)
        return publish(part, job.claim)
    except OSError:
        # The disk may be full, for example. The next poll tries again.
        return False
    finally:
        part.unlink(missing_ok=True)


def moved_from(folder: str, job: JobPaths) -> bool:
    """Return whether a job was claimed in `folder` and lies elsewhere now."""
    try:
        # A scan may be reached by several paths, over links.
        return not os.path.samefile(folder, job.folder)
    except OSError:
        return True
