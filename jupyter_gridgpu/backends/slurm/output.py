"""Reads what Slurm's commands print, the same for every version since 22.05.

JSON output is not used: that of 22.05 holds the jobs of the whole cluster in spite of all filters,
and that of 24.11 takes ten kilobytes a job. Instead, the commands print the fields that are named
here, with a divider between them that no name contains. This is short, and the same in all
versions.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from jupyter_gridgpu.backends.base import PLACE_LIMIT
from jupyter_gridgpu.backends.batch.by_hand import ended_by_hand
from jupyter_gridgpu.backends.batch.exit_codes import exit_meaning
from jupyter_gridgpu.backends.batch.inquiry import TaskStatus
from jupyter_gridgpu.backends.slurm.reasons import STUCK, waiting_message
from jupyter_gridgpu.model.job import one_line

DIVIDER = "\x1f"
QUEUE_FIELDS = (
    "JobArrayID",
    "State",
    "Reason",
    "exit_code",
    "StartTime",
    "EndTime",
    "NodeList",
    "Partition",
)
# The same fields in the same order, as sacct names them.
PAST_FIELDS = (
    "JobID",
    "State",
    "Reason",
    "ExitCode",
    "Start",
    "End",
    "NodeList",
    "Partition",
)
BATCH_FIELDS = ("ArrayJobID", "Comment", "Name", "WorkDir")
PAST_BATCH_FIELDS = ("JobID", "JobName", "WorkDir")
COMPLAINT_LIMIT = 250  # characters
_TASK = re.compile(r"\d{1,12}(_\d{1,9})?")

WAITING = {
    "PENDING",
    "REQUEUED",
    "REQUEUE_HOLD",
    "REQUEUE_FED",
    "SPECIAL_EXIT",
    "RESV_DEL_HOLD",
    "CONFIGURING",
}
RUNNING = {"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "RESIZING", "SIGNALING", "STAGE_OUT"}
# Slurm's states in which a job has ended, and our state, reason and message for each.
ENDINGS = {
    "TIMEOUT": ("failed", "timeout", "The job reached its time limit in Slurm."),
    "DEADLINE": ("failed", "timeout", "The job could not end before its deadline in Slurm."),
    "OUT_OF_MEMORY": (
        "failed",
        "oom",
        "Out of memory: the job used more than Slurm gave it. Ask for more --memory.",
    ),
    "PREEMPTED": ("failed", "preempted", "Slurm gave the node to a job of higher priority."),
    "NODE_FAIL": ("failed", "node", "The node failed."),
    "BOOT_FAIL": ("failed", "node", "The node could not be started."),
    "REVOKED": ("cancelled", "user", "Revoked in Slurm."),
    "COMPLETED": ("done", None, None),
}
CANCELLED = "CANCELLED"
BY_HAND = "Cancelled in Slurm"
UNSTARTED_BY_HAND = "Cancelled in Slurm before it started"
# The queue does not tell who cancelled a task. Slurm lets only these do so.
SOMEBODY = "you or an administrator"
_CANCELLED_BY = re.compile(r"CANCELLED by (\d{1,10})(?!\d)")
# How Slurm refuses a job because the user has too many in the queue: AssocMaxSubmitJobLimit,
# QOSGrpSubmitJobsLimit and others.
FULL = re.compile(r"\w*(Max|Grp)\w*Submit\w*Limit")
# How Slurm refuses a job that asks for more time than a partition, QOS or account may have.
TOO_LONG = re.compile(r"MaxWall|time limit", re.I)


def queue_format(fields: Iterable[str]) -> str:
    """Return the value of `squeue --Format`: each field in its whole length, then a divider."""
    return ",".join(f"{field}:{DIVIDER}" for field in fields)


def rows(text: str, fields: int) -> Iterator[list[str]]:
    """Yield the first `fields` cells of each line; a line with fewer cells is an error message."""
    for line in text.split("\n"):
        cells = line.split(DIVIDER)
        if len(cells) >= fields:
            yield cells[:fields]  # squeue ends a line with a divider, sacct does not


def read_tasks(text: str) -> dict[str, TaskStatus]:
    """Return what squeue (QUEUE_FIELDS) or sacct (PAST_FIELDS) says about each task, by its id."""
    found = {}
    for cells in rows(text, len(QUEUE_FIELDS)):
        if _TASK.fullmatch(cells[0]):
            found[cells[0]] = _task_status(cells)
    return found


def _task_status(cells: list[str]) -> TaskStatus:
    """Return what the cells of one line say about a task."""
    ident, full_state, reason, code, start, end, node, partition = cells
    state = full_state.split(" ")[0].rstrip("+")  # sacct prints `CANCELLED by 1000`
    where = one_line(partition, PLACE_LIMIT) or ""
    started = _epoch(start)
    if state in WAITING:
        # The start of a job that waits is Slurm's estimate.
        message = waiting_message(ident, reason, where, started)
        return TaskStatus("queued", message=message, where=where or None)
    if state in RUNNING:
        return TaskStatus("running", where=where or None, node=_node(node), started=started)
    if state == CANCELLED:
        ending = ended_by_hand(BY_HAND, _who(full_state))
    else:
        ending = TaskStatus(*(ENDINGS.get(state) or _failure(state, reason, code)))
    return replace(
        ending,
        where=where or None,
        node=_node(node),
        started=started,
        ended=_epoch(end),
    )


def _who(state: str) -> str:
    """Return who cancelled a task, by its state in words of sacct or squeue."""
    found = _CANCELLED_BY.match(state)
    if not found:
        return SOMEBODY
    user = int(found[1])
    if user == os.getuid():
        return "you"
    try:
        return pwd.getpwuid(user).pw_name
    except (KeyError, OverflowError):
        return f"the user with the number {user}"


def cancelled_by_somebody(status: TaskStatus) -> bool:
    """Return whether a task was cancelled and the answer does not say by whom."""
    return status.state == "cancelled" and f" {SOMEBODY}" in (status.message or "")


def cancelled_unstarted() -> TaskStatus:
    """Return the status of a task that Slurm has forgotten, since it was cancelled unstarted."""
    return ended_by_hand(UNSTARTED_BY_HAND, SOMEBODY)


def _failure(state: str, reason: str, code: str) -> tuple[str, str | None, str]:
    """Return state, reason and message for a task that ended by itself or could not start."""
    status, signal = exit_code(code)
    if state == "FAILED" and status:
        return ("failed", *exit_meaning(status))
    # Slurm gives up a job that can never start, and says so only in the reason for which it
    # waited.
    if reason in STUCK:
        return "failed", "submit", "Slurm gave the job up: no node has what it asks for."
    if signal and "Constraints" not in reason:
        return "failed", "node", f"The job was killed (signal {signal}) and left no result."
    detail = one_line(f"{state.lower().replace('_', ' ')}, {reason}", 120)
    return "failed", "node", f"Slurm says that the job could not run ({detail})."


def exit_code(text: str) -> tuple[int, int]:
    """Return exit status and signal of an exit code as Slurm prints it.

    It is `7:0` in 24.11 and in sacct, and the raw wait status in 22.05.
    """
    found = re.fullmatch(r"(\d{1,5}):(\d{1,5})", text)
    if found:
        return int(found[1]), int(found[2])
    if not re.fullmatch(r"\d{1,6}", text):
        return 0, 0
    raw = int(text)
    return raw >> 8, raw & 0x7F


def _epoch(text: str) -> float | None:
    """Return a time in seconds since the epoch; None for texts such as N/A and Unknown."""
    if not re.fullmatch(r"\d{1,12}", text) or int(text) == 0:
        return None
    return float(text)


def _node(text: str) -> str | None:
    if text in ("", "None assigned", "(null)"):
        return None
    return one_line(text, PLACE_LIMIT)


def complaint(text: str) -> str:
    """Return in one line what a command complained about.

    This is the last line that it printed, without the command's name. The line before the last one,
    which often has the cause, follows in brackets.
    """
    complaints = []
    for line in text.splitlines():
        line = re.sub(r"^\s*(\w+: )?(error: |fatal: )?", "", line).strip().rstrip(".")
        if line:
            line = re.sub(r"^(Batch job submission failed|allocation failure): ", "", line)
            complaints.append(line)
    if not complaints:
        return "no reason given"
    last = complaints[-1]
    if len(complaints) > 1 and complaints[-2] not in last:
        last = f"{last} ({complaints[-2]})"
    return one_line(last, COMPLAINT_LIMIT) or ""
