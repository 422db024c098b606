"""Names a copy of a job, and claims a job for one process of this machine.

A **copy** is one start of a job. A batch system may start a job again while the first copy still
runs, so each copy writes into a folder of its own. On this machine, a new runner may start a job
that a killed runner had started already; because of the claim, only one of the two copies runs.
"""

from __future__ import annotations

import functools
import json
import os
import uuid
from pathlib import Path

from jupyter_gridgpu.store.opener import create_plain
from jupyter_gridgpu.store.paths import COPY_NAME, CopyPaths, JobPaths, publish, sync_file
from jupyter_gridgpu.store.process import this_process
from jupyter_gridgpu.worker.disk_retry import retry_while_disk_is_away

# Holds the copy's name where a process has claimed the job before it became the worker.
COPY_VARIABLE = "GRIDGPU_COPY"


def new_copy(paths: JobPaths) -> CopyPaths:
    """Return the paths of this copy of a job; its folder is not made yet."""
    # The variable is removed, so that no other job started from here takes the same name.
    name = os.environ.pop(COPY_VARIABLE, "")
    if not COPY_NAME.fullmatch(name):
        name = uuid.uuid4().hex[:8]
    return paths.copy(name)


def claim_job(paths: JobPaths, copy: CopyPaths) -> bool:
    """Claim a job for `copy` and this process; return False if the job was claimed before.

    The claim is a file that can be made only once: the text is written into a file of another
    name, and a link with the claim's name is made to it, which fails if that name exists. So a job
    that was sent twice runs once, and the runner learns from the file which process to watch. A
    runner may take the claim too, to cancel a job before any worker takes it.
    """
    part = paths.folder / f".claim.{uuid.uuid4().hex[:8]}"
    text = json.dumps(
        {"copy": copy.folder.name, "folder": str(paths.folder), **this_process().to_json()}
    )
    try:
        retry_while_disk_is_away(functools.partial(_write_synced, part, text))
        return publish(part, paths.claim)
    finally:
        part.unlink(missing_ok=True)


def _write_synced(path: Path, text: str) -> None:
    # Without the sync, a power cut may leave a claim that is there and empty.
    path.unlink(missing_ok=True)  # of the last try, when the disk was full
    create_plain(path, text.encode())
    sync_file(path)
