"""Sends a batch to PanDA: its files, and then its task. Runs in the process that client.py is."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Any

from jupyter_gridgpu.backends.batch.batches import Batch, BatchStore
from jupyter_gridgpu.backends.panda import sandbox
from jupyter_gridgpu.backends.panda.task_map import Submitter, task_map, task_name
from jupyter_gridgpu.backends.panda.wrapped_client import PandaClient
from jupyter_gridgpu.errors import BackendError, Unreachable
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.transport import key_files, scan_secrets

REPLY_LENGTH = 200
_TASK_ID = re.compile(r"jediTaskID=(\d+)")
# Codes of insertTaskParams after which the next try may succeed: the server failed, or the user has
# too many tasks for now.
_TRY_LATER = (4, 10)


def send(question: dict[str, Any]) -> dict[str, Any]:
    """Send the batch `batch` of the scan in `folder`, and return the id of its task.

    `again` says that an earlier process may have sent it, so that PanDA is first asked for it.
    Raises BackendError if PanDA refuses the batch, Unreachable if it is not known whether PanDA
    took the batch.
    """
    paths = ScanPaths(Path(question["folder"]))
    scan = home.load(paths.folder)
    batches = BatchStore(paths).all()
    batch = next(batch for batch in batches if batch.name == question["batch"])
    panda = PandaClient()
    submitter = panda.submitter()
    if question.get("again"):
        # A task that has ended would begin anew if it were inserted a second time. Of a task that
        # is too young to be found here, a second insertion returns the number and changes nothing.
        found = _task_by_name(panda, scan, batch, submitter)
        if found is not None:
            return {"id": found, "new": False}
    archive, size = _upload(panda, scan, paths, batch, submitter)
    task_id, is_new = _insert(panda, scan, batch, submitter, archive)
    return {"id": task_id, "new": is_new, "bytes": size}


def _upload(
    panda: PandaClient, scan: ScanSpec, paths: ScanPaths, batch: Batch, submitter: Submitter
) -> tuple[str, int]:
    """Upload the sandbox of a batch. Return its name on the server and its size in bytes."""
    archive = f"jobO.{scan.id}.{batch.name}.tar.gz"
    private = {paths.sender.name: key_files.sender_file(scan.id)}
    secrets = scan_secrets.kept_file(scan)
    if secrets is not None:
        private[secrets.name] = secrets
    # The sandbox holds the key with which jobs send metrics. The key must never lie in the scan's
    # folder, so the sandbox is made elsewhere.
    with tempfile.TemporaryDirectory(prefix="gridgpu-") as folder:
        # panda-client calls an archive on the server by the path that it is given.
        os.chdir(folder)
        size = sandbox.pack(paths, batch.tasks, Path(archive), private)
        use_cache = submitter.vo == "atlas"
        reply = panda.ask("putFile", archive, useCacheSrv=use_cache, reuseSandbox=True)
        # The temporary folder is about to be removed.
        os.chdir(batch.folder)
    # PanDA may have an archive with the same bytes already, under another name.
    if isinstance(reply, str) and reply.startswith("NewFileName:"):
        return reply.split(":", 1)[1], size
    if reply != "True":
        text = one_line(str(reply), REPLY_LENGTH)
        raise BackendError(f"PanDA did not take the files of the jobs: {text}")
    return archive, size


def _insert(
    panda: PandaClient, scan: ScanSpec, batch: Batch, submitter: Submitter, archive: str
) -> tuple[str, bool]:
    """Insert the task of a batch. Return its id, and whether PanDA did not have it before."""
    parameters = task_map(scan, batch.name, len(batch.tasks), submitter, archive)
    code, reply = panda.ask("insertTaskParams", parameters, properErrorCode=True)
    # The reply names the task also where a task of that name was sent before.
    found = _TASK_ID.search(str(reply))
    if found is None:
        text = f"PanDA did not take the task: {one_line(str(reply), REPLY_LENGTH)}"
        if code in _TRY_LATER:
            raise Unreachable(text)
        raise BackendError(text)
    return found[1], code == 0


def _task_by_name(
    panda: PandaClient, scan: ScanSpec, batch: Batch, submitter: Submitter
) -> str | None:
    """Return the id of the task of a batch, or None if PanDA finds none of its name.

    In its first seconds a task is not found by its name.
    """
    name = f"{task_name(scan, batch.name, submitter.nickname)}/"
    tasks = panda.ask("get_tasks_detailed_info_since", filters={"taskName": name}, n_tasks=2)
    for task in tasks or ():
        # A server that does not know the filter returns other tasks of the user.
        if isinstance(task, dict) and task.get("taskName") == name:
            return str(int(task["jediTaskID"]))
    return None
