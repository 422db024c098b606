"""HTCondor's words, without HTCondor: what is asked of it as a submit description, what it says of a job as a Seen.

Ads are plain dictionaries here, with the attributes of PROJECTION; what they hold is not trusted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jupyter_gridgpu.backends.batch.exit_codes import exit_words
from jupyter_gridgpu.backends.batch.inquiry import TaskStatus, shown_text
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.queue import enough_mb
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.queues import gpus

BATCH = "GridGpuBatch"  # the attribute by which a batch is found again
PROJECTION = (
    "ClusterId", "ProcId", "JobStatus", "RemoteHost", "LastRemoteHost", "JobCurrentStartDate", "EnteredCurrentStatus",
    "CompletionDate", "ExitCode", "ExitBySignal", "ExitSignal", "HoldReason", "HoldReasonCode", "LastHoldReason",
    "LastHoldReasonCode", "RemoveReason", "NumJobStarts", "LastRejMatchReason", "TransferringInput", "TransferQueued",
)  # fmt: skip
IDLE, RUNNING, REMOVED, COMPLETED, HELD, RETURNING, SUSPENDED = range(1, 8)
WAITING_HOLDS = (
    1,
    15,
    16,
)  # held by the user, sent on hold, its files are being spooled: it goes on without us
LIMIT_S = 300  # beyond the walltime, which the worker keeps itself: time to start and to save
VACATE_S = 60
MEMORY_MB = (
    2000  # of a job that says nothing: HTCondor itself would ask for 128, in which no notebook fits
)
_HOLDS = {34: "oom", 35: "image", 46: "timeout", 47: "timeout"}
_CAUSES = (
    ("oom", r"memory"),
    ("timeout", r"\b(wall|run|execut\w*|max\w*) ?-?(time|duration)|time limit|too long"),
    ("image", r"\bimage\b|\.sif\b|singularity|apptainer|docker"),
)


# what is asked of it ----------------------------------------------------------------


def description(scan: ScanSpec, ident: str, arguments: str) -> dict[str, str]:
    """Return the submit description that all tasks of a batch share; `arguments` are those of /bin/sh."""
    found = {
        "universe": "vanilla",
        "executable": "/bin/sh",
        "transfer_executable": "False",
        "arguments": arguments,
        "batch_name": f"gridgpu {scan.name}",
        f"My.{BATCH}": string(ident),
        "notification": "never",
        "should_transfer_files": "YES",  # also where nothing is transferred: pools seldom say which nodes share a disk
        "want_graceful_removal": "True",
        "kill_sig": "SIGTERM",
        "job_max_vacate_time": str(VACATE_S),
        # one that is held for good is not to be released after it was given up here
        "periodic_remove": f"JobStatus == {HELD} && !member(HoldReasonCode, {{{', '.join(map(str, WAITING_HOLDS))}}})",
        **resources(scan),
        **limits(scan),
    }
    if scan.placement.constraint:
        found["requirements"] = f"({scan.placement.constraint})"
    return found


def resources(scan: ScanSpec) -> dict[str, str]:
    """Return the commands that ask for what a job needs."""
    wanted = scan.resources
    asked = {
        "request_cpus": str(wanted.cpus or 1),
        "request_memory": str((wanted.memory_mb or MEMORY_MB) * scan.per_gpu),
        "request_disk": f"{wanted.disk_mb}MB" if wanted.disk_mb else "",
        "request_gpus": str(wanted.gpus) if wanted.gpus else "",
        "require_gpus": gpu_words(scan) if wanted.gpus else "",
    }
    return {name: text for name, text in asked.items() if text}


def gpu_words(scan: ScanSpec) -> str:
    """Return the expression that each GPU of a job must fulfil."""
    wanted = scan.resources
    major, _, minor = (wanted.cuda or "").partition(".")
    parts = [
        f'regexp({string(gpus.pattern(wanted.gpu_model))}, DeviceName, "i")'
        if wanted.gpu_model
        else "",
        f"GlobalMemoryMb >= {enough_mb(wanted.vram_mb)}" if wanted.vram_mb else "",
        f"MaxSupportedVersion >= {int(major) * 1000 + int(minor or 0) * 10}" if wanted.cuda else "",
    ]
    return " && ".join(part for part in parts if part)


def limits(scan: ScanSpec) -> dict[str, str]:
    """Return who pays, and how long a task may run: as HTCondor knows it, and as CERN's pool reads it."""
    found: dict[str, str] = {}
    if scan.placement.account:
        found["accounting_group"] = scan.placement.account
    if scan.resources.walltime_s:
        longest = scan.per_job * scan.resources.walltime_s + LIMIT_S
        found |= {"allowed_execute_duration": str(longest), "My.MaxRuntime": str(longest)}
    return found


def argument(word: str) -> str:
    """Return a word as one of the arguments in a description."""
    if "\n" in word:
        raise BackendError(f"HTCondor takes no name with a line break: {word}")
    return "'" + word.replace("'", "''").replace('"', '""').replace("$", "$(DOLLAR)") + "'"


def string(text: str) -> str:
    """Return a text as a ClassAd string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def refusal(text: str) -> str:
    """Return HTCondor's own words for why it did not take something, without the names of its functions."""
    line = next((line for line in re.split(r"\w+:-?\d+:", text)[1:] if line.strip()), text)
    return shown_text(line.split("errmsg=")[-1]) or "it gave no reason"


# what it says -----------------------------------------------------------------------


def task_id(ad: Mapping[str, Any]) -> str:
    return f"{ad.get('ClusterId')}.{ad.get('ProcId')}"


def seen(ad: Mapping[str, Any], fits: int | None = None, where: str | None = None) -> TaskStatus:
    """Return what the ad of a job in the queue says; `fits`: how many machines could run it, if that was looked at."""
    status = ad.get("JobStatus")
    if status in (RUNNING, REMOVED, RETURNING, SUSPENDED):
        return _at("running", ad, where, message=_running_words(ad))
    if status == COMPLETED:
        return left(ad, where)
    if status == HELD and ad.get("HoldReasonCode") not in WAITING_HOLDS:
        return _held(ad.get("HoldReasonCode"), ad.get("HoldReason"), ad, where)
    if status == HELD:
        why = _sentence(ad.get("HoldReason") or "no reason was given")
        return TaskStatus(
            "queued", message=shown_text(f"Held: {why} It waits for its release."), where=where
        )
    return TaskStatus("queued", message=waiting_words(ad, fits), where=where)


def left(ad: Mapping[str, Any], where: str | None = None) -> TaskStatus:
    """Return what the ad of a job that has left the queue says."""
    if ad.get("JobStatus") == COMPLETED:
        reason, message = _exit(ad)
        return _at("done", ad, where, reason, message)
    code = ad.get("LastHoldReasonCode")
    if (
        ad.get("LastHoldReason")
        and code not in WAITING_HOLDS
        and "PeriodicRemove" in str(ad.get("RemoveReason"))
    ):
        return _held(code, ad.get("LastHoldReason"), ad, where)
    said = str(ad.get("RemoveReason") or "")
    if re.search(r"PeriodicRemove|SYSTEM_PERIODIC|policy", said, re.IGNORECASE):
        return _at(
            "failed", ad, where, cause(said) or "node", f"Removed by HTCondor: {_sentence(said)}"
        )
    return _at(
        "cancelled",
        ad,
        where,
        "user",
        f"Removed from the queue: {_sentence(said)}" if said else "Removed from the queue.",
    )


def waiting_words(ad: Mapping[str, Any], fits: int | None) -> str:
    again = "Its node was lost; it starts again. " if ad.get("NumJobStarts") else ""
    if fits == 0:
        return again + "Waits, but no machine of the pool fits what it asks for."
    if fits:
        machines = "one machine fits" if fits == 1 else f"{fits} machines fit"
        return again + f"Waits: {machines}, none is free for it now."
    said = shown_text(ad.get("LastRejMatchReason"))
    return again + (f"Waits for a machine: {said}." if said else "Waits for a machine.")


def cause(text: str) -> str | None:
    """Return the reason that words of a pool's policy speak of."""
    return next(
        (reason for reason, pattern in _CAUSES if re.search(pattern, text, re.IGNORECASE)), None
    )


def node(ad: Mapping[str, Any]) -> str | None:
    """Return the machine of `slot1_2@node`."""
    host = shown_text(ad.get("RemoteHost") or ad.get("LastRemoteHost"))
    return host.partition("@")[2] or host if host else None


def ended(ad: Mapping[str, Any]) -> float | None:
    return _time(ad, "CompletionDate") or _time(ad, "EnteredCurrentStatus")


def _held(code: Any, said: Any, ad: Mapping[str, Any], where: str | None) -> TaskStatus:
    """A job that HTCondor put on hold has failed: nothing would change by itself."""
    text = str(said or "no reason was given")
    reason = _HOLDS.get(code) if isinstance(code, int) and "disk" not in text else None
    return _at(
        "failed", ad, where, reason or cause(text) or "node", f"Held by HTCondor: {_sentence(text)}"
    )


def _at(
    state: str,
    ad: Mapping[str, Any],
    where: str | None,
    reason: str | None = None,
    message: str | None = None,
) -> TaskStatus:
    """A Seen with the place and the times that the ad tells."""
    over = None if state == "running" else ended(ad)
    return TaskStatus(
        state, reason, shown_text(message), where, node(ad), _time(ad, "JobCurrentStartDate"), over
    )


def _exit(ad: Mapping[str, Any]) -> tuple[str | None, str | None]:
    if ad.get("ExitBySignal"):
        return (
            "node",
            f"The job was ended by signal {shown_text(ad.get('ExitSignal'))} and left no result.",
        )
    code = ad.get("ExitCode")
    return exit_words(code) if isinstance(code, int) and code else (None, None)


def _running_words(ad: Mapping[str, Any]) -> str | None:
    if ad.get("JobStatus") == SUSPENDED:
        return "Suspended by its node."
    return "Its files are on their way to the node." if ad.get("TransferringInput") else None


def _sentence(text: Any) -> str:
    return f"{str(text or '').strip().rstrip('.')}."


def _time(ad: Mapping[str, Any], name: str) -> float | None:
    value = ad.get(name)
    return float(value) if isinstance(value, (int, float)) and value > 0 else None
