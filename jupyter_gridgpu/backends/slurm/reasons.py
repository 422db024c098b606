"""Why a job of Slurm waits, as a sentence for the user."""

from __future__ import annotations

import re
import time

from jupyter_gridgpu.model.job import one_line

ROUND_S = 300  # estimated starts are rounded up, since Slurm's estimate moves all the time
TODAY_S = 64_800  # a start within 18 hours is shown without its day
REASON_LIMIT = 200  # characters

# Slurm's reason, and the text that follows 'Waits in PARTITION: '.
WAITS = {
    "Resources": "what it needs is in use",
    "Priority": "others are before it",
    "JobArrayTaskLimit": "as many of the scan's jobs as may run at once do",
    "BeginTime": "it starts again after its node was lost, or later by wish",
    "Dependency": "it depends on another job",
    "Licenses": "licenses are in use",
    "Reservation": "its reservation has not begun",
    "PartitionDown": "the partition is down",
    "PartitionInactive": "the partition takes no jobs now",
    "NodeDown": "its node is down",
    "Cleaning": "it is being cleaned up to start again",
    "Prolog": "its node is being prepared",
    "None": "Slurm has not looked at it yet",
}
_NEVER = "It will not start:"
# Reasons for which a job waits until somebody does something, and the message for each.
STUCK = {
    "JobHeldUser": "It is held: `scontrol release {id}` lets it go.",
    "JobHeldAdmin": "It is held by an administrator of the cluster: ask them.",
    "PartitionTimeLimit": f"{_NEVER} it asks for more time than {{where}} allows."
    " Stop it and ask for less --walltime.",
    "PartitionNodeLimit": f"{_NEVER} it asks for more nodes than {{where}} allows.",
    "BadConstraints": f"{_NEVER} no node has what it asks for.",
    "DependencyNeverSatisfied": f"{_NEVER} the job it depends on failed.",
    "AccountNotAllowed": f"{_NEVER} the account may not use {{where}}."
    " Stop it and give another --account or --queue.",
    "QOSNotAllowed": f"{_NEVER} the QOS may not be used in {{where}}."
    " Stop it and give another --qos or --queue.",
    "InvalidAccount": f"{_NEVER} Slurm does not know the account."
    " Stop it and give another --account.",
    "InvalidQOS": f"{_NEVER} Slurm does not know the QOS. Stop it and give another --qos.",
    "JobHoldMaxRequeue": "It is held after too many requeues: `scontrol release {id}` lets it go.",
}
# Limits on one job, such as QOSMaxGRESPerJob: the end of other jobs does not help against them.
_LIMIT_OF_ONE_JOB = re.compile(r"(PerJob|PerNode|WallDuration\w*|MaxWall\w*)(Limit)?$")


def waiting_message(ident: str, reason: str, where: str, start: float | None) -> str:
    """Return one sentence: why a job waits, and when it is expected to start.

    `reason` is what Slurm prints, and `where` is the partition. `start` is Slurm's estimate in
    seconds since the epoch.
    """
    reason = one_line(reason, REASON_LIMIT) or "None"
    name = reason.split(",")[0]
    if name in STUCK:
        return STUCK[name].format(id=ident, where=where)
    if _LIMIT_OF_ONE_JOB.search(name):
        return (
            f"It will not start in {where}: it asks for more than one job may have ({name})."
            " Stop it and ask for less."
        )
    if "held" in reason:
        return f"It is held ({reason}): `scontrol release {ident}` lets it go."
    return f"Waits in {where}: {_why(name, reason)}{_expected(start)}."


def _why(name: str, reason: str) -> str:
    if name in WAITS:
        return WAITS[name]
    if name == "ReqNodeNotAvail":
        return "a node that it needs is down, reserved or in use"
    if name.startswith(("Assoc", "QOS", "MaxGRES", "MaxJobs")):
        return f"a limit of the account is reached ({name})"
    # A reason of another version of Slurm: the user sees it as it is.
    return reason.rstrip(".")


def _expected(start: float | None) -> str:
    """Return a clause with the estimated start; "" if the start lies in the past."""
    now = time.time()
    if start is None or start < now:
        return ""
    form = "%H:%M"
    if start >= now + TODAY_S:
        form = "%a %d %b %H:%M"
    rounded = time.localtime(start - start % ROUND_S + ROUND_S)
    return f"; starts about {time.strftime(form, rounded)}"
