"""What HTCondor says of jobs: ads, which become a TaskStatus.

Nothing here needs HTCondor: an ad is a plain dictionary with the attributes of PROJECTION. The
texts in an ad are shown to the user, cut to a limited length, and used for nothing else than to
guess the reason of a failure.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from jupyter_gridgpu.backends.batch.by_hand import by_hand_message
from jupyter_gridgpu.backends.batch.exit_codes import exit_meaning
from jupyter_gridgpu.backends.batch.inquiry import TaskStatus, shown_text

BATCH = "GridGpuBatch"  # the attribute of our own by which a batch is found again
PROJECTION = (
    "ClusterId",
    "ProcId",
    "JobStatus",
    "RemoteHost",
    "LastRemoteHost",
    "JobCurrentStartDate",
    "EnteredCurrentStatus",
    "CompletionDate",
    "ExitCode",
    "ExitBySignal",
    "ExitSignal",
    "HoldReason",
    "HoldReasonCode",
    "LastHoldReason",
    "LastHoldReasonCode",
    "RemoveReason",
    "NumJobStarts",
    "LastRejMatchReason",
    "TransferringInput",
    "TransferQueued",
    "JobDisconnectedDate",
    "JobCurrentReconnectAttempt",
    "JobLeaseDuration",
    "JobMaxVacateTime",
    "VacateReasonCode",
    "ServerTime",
    "StageInStart",
    "StageInFinish",
    "StageOutFinish",
)
IDLE, RUNNING, REMOVED, COMPLETED, HELD, RETURNING, SUSPENDED = range(1, 8)  # JobStatus
# Codes of holds that somebody else ends: a hold by the user, a hold by the user at submission, and
# a hold while the files of a job are being spooled.
SPOOLING = 16
WAITING_HOLDS = (1, 15, SPOOLING)
_REASON_OF_HOLD = {34: "oom", 35: "image", 46: "timeout", 47: "timeout"}  # by HoldReasonCode
_REASON_OF_TEXT = (
    ("oom", r"memory|ResidentSetSize|ImageSize"),
    (
        "timeout",
        r"\b(wall|run|execut\w*|max\w*) ?-?(time|duration)|WallClock|time limit|too long",
    ),
    ("image", r"\bimage\b|\.sif\b|singularity|apptainer|docker"),
)
# HTCondor adds this to the reason of a removal that somebody asked for. A policy of the pool or of
# the job has no such words, whatever else its reason says.
_BY_HAND = re.compile(r"\s*\(by user ([^()]+)\)\.?\s*$")
NEVER_SPOOLED = "its files did not reach HTCondor"  # the reason with which we remove a job
LEASE_OVER = 1008  # VacateReasonCode: the node was silent for longer than the lease
END_SPARE_S = 60.0  # a job that was removed may take so much longer than HTCondor gives it


def task_id(ad: Mapping[str, Any]) -> str:
    """Return the id of the task that an ad describes: `CLUSTER.PROC`."""
    return f"{ad.get('ClusterId')}.{ad.get('ProcId')}"


def queue_status(
    ad: Mapping[str, Any], fitting_machines: int | None = None, pool: str | None = None
) -> TaskStatus:
    """Return what the ad of a job in the queue says.

    `fitting_machines` is how many machines could run the job, or None if that is not known.
    """
    status = ad.get("JobStatus")
    if status in (RUNNING, RETURNING, SUSPENDED):
        return _status("running", ad, pool, message=_running_message(ad))
    if status == REMOVED and _still_saves(ad):
        end = history_status(ad, pool)
        return _status("running", ad, pool, message=f"{end.message} It saves what it has.")
    if status == COMPLETED and _waits_for_fetching(ad):
        message = "It has ended; its files are on their way back."
        return _status("running", ad, pool, message=message)
    if status in (REMOVED, COMPLETED):
        return history_status(ad, pool)
    if status == HELD:
        return _held_status(ad, pool)
    return TaskStatus("queued", message=_waiting_message(ad, fitting_machines), where=pool)


def history_status(ad: Mapping[str, Any], pool: str | None = None) -> TaskStatus:
    """Return what the ad of a job that has left the queue says."""
    if ad.get("JobStatus") == COMPLETED:
        reason, message = _exit(ad)
        return _status("done", ad, pool, reason, message)
    why = str(ad.get("RemoveReason") or "")
    hold_code = ad.get("LastHoldReasonCode")
    hold_reason = ad.get("LastHoldReason")
    # Our own description removes jobs that are held for good: then the hold is the reason.
    if hold_reason and hold_code not in WAITING_HOLDS and "PeriodicRemove" in why:
        return _failed_by_hold(hold_code, hold_reason, ad, pool)
    hand = _BY_HAND.search(why)
    if why.startswith(NEVER_SPOOLED) or (hand is None and _never_spooled(ad)):
        return _status("failed", ad, pool, "submit", "Its files did not reach HTCondor.")
    if hand or not why:
        user = hand[1] if hand else None
        message = by_hand_message("Removed from HTCondor", user, _BY_HAND.sub("", why))
        return _status("cancelled", ad, pool, "user", message)
    # What a policy says of a job that never started, it would say of the next attempt as well.
    reason = _reason_in(why) or ("node" if ad.get("NumJobStarts") else "submit")
    return _status("failed", ad, pool, reason, f"Removed by HTCondor: {_sentence(why)}")


def refusal(text: str) -> str:
    """Return why HTCondor did not take something, from the text of its error.

    The text names functions with codes, such as `SCHEDD:2:`; these are left out.
    """
    parts = re.split(r"\w+:-?\d+:", text)[1:]
    reason = next((part for part in parts if part.strip()), text)
    return shown_text(reason.split("errmsg=")[-1]) or "it gave no reason"


# jobs that wait or run ----------------------------------------------------------------


def _waiting_message(ad: Mapping[str, Any], fitting_machines: int | None) -> str:
    """Return one or two sentences that say why a job waits for a machine."""
    again = ""
    if ad.get("VacateReasonCode") == LEASE_OVER:
        again = "Its node was silent for too long; it starts again. "
    elif ad.get("NumJobStarts"):
        again = "It ran before, and starts again. "
    if fitting_machines == 0:
        return f"{again}Waits, but no machine of the pool fits what it asks for."
    if fitting_machines == 1:
        return f"{again}Waits: one machine fits, none is free for it now."
    if fitting_machines:
        return f"{again}Waits: {fitting_machines} machines fit, none is free for it now."
    rejection = shown_text(ad.get("LastRejMatchReason"))
    if rejection:
        return f"{again}Waits for a machine: {rejection}."
    return f"{again}Waits for a machine."


def _running_message(ad: Mapping[str, Any]) -> str | None:
    if ad.get("JobStatus") == SUSPENDED:
        return "Suspended by its node."
    if ad.get("JobStatus") == RUNNING and _is_silent(ad):
        return _silence_message(ad)
    if ad.get("TransferringInput"):
        return "Its files are on their way to the node."
    return None


def _is_silent(ad: Mapping[str, Any]) -> bool:
    """Return whether HTCondor has no connection to the node of a job that runs, or did."""
    since = _time(ad, "JobDisconnectedDate")
    # The date stays in the ad when the job runs on another node. The attempts do not.
    if since is None or ad.get("JobCurrentReconnectAttempt") is None:
        return False
    return since >= (_time(ad, "JobCurrentStartDate") or 0.0)


def _silence_message(ad: Mapping[str, Any]) -> str:
    """Return for how long the node of a job has been silent, and until when HTCondor waits."""
    since = _time(ad, "JobDisconnectedDate") or 0.0
    minutes = int((_server_time(ad) - since) // 60)
    length = f"{minutes} min" if minutes > 0 else "less than a minute"
    end = ""
    lease_s = _time(ad, "JobLeaseDuration")
    if lease_s:
        end = f" until {time.strftime('%H:%M', time.localtime(since + lease_s))}"
    return f"The node has been silent for {length}; HTCondor waits for it{end}."


def _still_saves(ad: Mapping[str, Any]) -> bool:
    """Return whether the worker of a job that was removed may still be saving."""
    # A job that waited has no worker, and HTCondor cannot tell one on a silent node to save.
    if not ad.get("RemoteHost") or _is_silent(ad):
        return False
    since = _time(ad, "EnteredCurrentStatus") or 0.0
    longest_s = _time(ad, "JobMaxVacateTime") or 0.0
    return _server_time(ad) - since < longest_s + END_SPARE_S


def _waits_for_fetching(ad: Mapping[str, Any]) -> bool:
    """Return whether what a job left lies in the spool of the schedd and was not fetched yet."""
    fetched = _time(ad, "StageOutFinish") or 0.0
    ended = _time(ad, "EnteredCurrentStatus") or 0.0
    return ad.get("StageInFinish") is not None and fetched < ended


def _never_spooled(ad: Mapping[str, Any]) -> bool:
    """Return whether a job was to get its files through the spool of the schedd and did not."""
    return ad.get("StageInStart") is not None and ad.get("StageInFinish") is None


def _held_status(ad: Mapping[str, Any], pool: str | None) -> TaskStatus:
    """Return the status of a job on hold: it waits for its user, or it has failed."""
    code = ad.get("HoldReasonCode")
    reason = ad.get("HoldReason")
    if code not in WAITING_HOLDS:
        return _failed_by_hold(code, reason, ad, pool)
    if code == SPOOLING:
        return TaskStatus("queued", message="Its files are on their way to HTCondor.", where=pool)
    why = _sentence(reason or "no reason was given")
    message = shown_text(f"Held: {why} It waits for its release.")
    return TaskStatus("queued", message=message, where=pool)


# jobs that have ended -----------------------------------------------------------------


def _failed_by_hold(
    code: Any, hold_reason: Any, ad: Mapping[str, Any], pool: str | None
) -> TaskStatus:
    """Return the status of a job that HTCondor put on hold for good: the job has failed."""
    text = str(hold_reason or "no reason was given")
    reason = None
    # HTCondor has one code for too much memory and for too much disk.
    if isinstance(code, int) and "disk" not in text:
        reason = _REASON_OF_HOLD.get(code)
    reason = reason or _reason_in(text) or "node"
    return _status("failed", ad, pool, reason, f"Held by HTCondor: {_sentence(text)}")


def _reason_in(text: str) -> str | None:
    """Return the reason that the text of a pool's policy speaks of, or None."""
    for reason, pattern in _REASON_OF_TEXT:
        if re.search(pattern, text, re.IGNORECASE):
            return reason
    return None


def _exit(ad: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return reason and message for the end of a job; both are None for exit code 0."""
    if ad.get("ExitBySignal"):
        signal = shown_text(ad.get("ExitSignal"))
        return "node", f"The job was ended by signal {signal} and left no result."
    code = ad.get("ExitCode")
    if isinstance(code, int) and code:
        return exit_meaning(code)
    return None, None


# parts of an ad -----------------------------------------------------------------------


def _status(
    state: str,
    ad: Mapping[str, Any],
    pool: str | None,
    reason: str | None = None,
    message: str | None = None,
) -> TaskStatus:
    """Return a TaskStatus with the node and the times that the ad tells."""
    ended = None
    if state != "running":
        ended = _time(ad, "CompletionDate") or _time(ad, "EnteredCurrentStatus")
    return TaskStatus(
        state,
        reason,
        shown_text(message),
        where=pool,
        node=_node(ad),
        # HTCondor starts no job again that a policy has held or removed.
        given_up=state == "failed" or None,
        started=_time(ad, "JobCurrentStartDate"),
        ended=ended,
    )


def _node(ad: Mapping[str, Any]) -> str | None:
    """Return the machine of `slot1_2@machine`."""
    host = shown_text(ad.get("RemoteHost") or ad.get("LastRemoteHost"))
    if not host:
        return None
    return host.partition("@")[2] or host


def _server_time(ad: Mapping[str, Any]) -> float:
    """Return what time it is by the clock that wrote the times of an ad."""
    return _time(ad, "ServerTime") or time.time()


def _time(ad: Mapping[str, Any], name: str) -> float | None:
    """Return a time in seconds since the epoch; HTCondor writes 0 for one that is not known."""
    value = ad.get(name)
    if isinstance(value, (int, float)) and value > 0:
        return float(value)
    return None


def _sentence(text: Any) -> str:
    """Return a text with exactly one full stop at its end."""
    return f"{str(text or '').strip().rstrip('.')}."
