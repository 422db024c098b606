"""What PanDA says of a task, as the status of each of its jobs.

PanDA makes a new job for each of its own tries. So one job of ours, which PanDA knows by its
sequence number in the task, may be several jobs of PanDA. Nothing here asks PanDA.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jupyter_gridgpu.backends.batch.inquiry import TaskStatus
from jupyter_gridgpu.backends.panda.failures import NO_VALUE, dialog, failure
from jupyter_gridgpu.backends.panda.heartbeats import silence
from jupyter_gridgpu.backends.panda.states import (
    BROKERED_TASK_STATES,
    ENDED_JOB_STATES,
    ENDING_TASK_STATES,
    FINAL_TASK_STATES,
    QUEUED_JOB_STATES,
    RUNNING_JOB_STATES,
    TASK_STATES,
)
from jupyter_gridgpu.backends.panda.stop_texts import stop_text
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.units import duration_text

# A job that has waited at a site for so many seconds is shown with a warning that it may wait for
# ever.
LONG_WAIT_S = 1800.0
NAME_LENGTH = 80
LINK_LENGTH = 300


@dataclass(frozen=True)
class TaskFacts:
    """What the backend knows of a task in addition to PanDA's answer."""

    architecture: str = ""  # the GPUs that the task asks for, as PanDA writes them
    # How often PanDA tries a job. This is not the number in a job's own field maxAttempt.
    attempts: int = 3
    monitor: str = ""  # the address of the monitor's pages; empty where there is none
    unwanted: frozenset[int] = frozenset()  # sequence numbers of jobs that are to end
    # Whether PanDA has known for a while that the task is to end, so that it makes no more jobs.
    long_killed: bool = False
    # Sequence numbers of finished jobs of which nothing more will be fetched.
    settled: frozenset[int] = frozenset()


def task_status(
    answer: Mapping[str, Any], size: int, facts: TaskFacts, now: float
) -> dict[int, TaskStatus]:
    """Return the status of each job of a task, by sequence number from 1 to `size`.

    `answer` is what client.py answers of the task, `now` the time in seconds since the epoch.
    """
    tries: dict[int, list[Mapping[str, Any]]] = {}
    for job in answer.get("jobs") or ():
        tries.setdefault(job["seq"], []).append(job)
    found = {}
    for number in range(1, size + 1):
        of_job = tries.get(number, [])
        status = _job_status(number, of_job, answer, facts, now)
        found[number] = replace(status, link=_page(of_job, answer, facts))
    return found


def _job_status(
    number: int,
    tries: Sequence[Mapping[str, Any]],
    answer: Mapping[str, Any],
    facts: TaskFacts,
    now: float,
) -> TaskStatus:
    """Return the status of a job of ours from PanDA's tries at it."""
    # A try that finished counts, whatever came before or after it. Without one, the newest try
    # counts.
    finished = [job for job in tries if job["jobStatus"] == "finished"]
    if finished:
        return _finished(newest(finished), number in facts.settled, facts)
    unwanted = number in facts.unwanted
    if not tries:
        if unwanted:
            return _unwanted_without_jobs(answer, facts)
        return _without_jobs(answer, facts)
    job = newest(tries)
    if job["jobStatus"] not in ENDED_JOB_STATES:
        # A job that was killed counts until PanDA says that it has ended: its pilot may start it
        # in the same second, or may hear of its end only half an hour later.
        return _unfinished(job, answer, unwanted, facts, now)
    if _is_tried_again(job, answer, facts):
        if unwanted:
            return _made_anew(job, answer, facts)
        return _tried_again(job, facts)
    return _ended(job, facts)


def newest(jobs: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the last of PanDA's tries at a job."""
    # PanDA's numbers of jobs grow with each try; its numbers of outputs need not.
    return max(jobs, key=lambda job: (_try_number(job), job.get("PandaID") or 0))


# before a job has ended ---------------------------------------------------------------


def _without_jobs(answer: Mapping[str, Any], facts: TaskFacts) -> TaskStatus:
    """Return the status of a job that PanDA has not made yet, from the state of its task."""
    state = str(answer.get("status"))
    message = dialog(answer.get("errorDialog"))
    because = f": {message}" if message else ""
    page = ""
    if facts.monitor:
        page = f" {_task_page(answer, facts)}"
    if state == "aborted":
        return TaskStatus("cancelled", message=f"The task was killed at PanDA{because}.{page}")
    if state in FINAL_TASK_STATES:
        because = because or " and gives no reason"
        text = f"PanDA's task {answer.get('id')} is {state}{because}.{page}"
        return TaskStatus("failed", "submit", one_line(text))
    text = TASK_STATES.get(state, f"PanDA's task is {state}")
    if message and state in BROKERED_TASK_STATES:
        # PanDA reports no error for a queue that does not exist; it only goes on looking.
        text = "PanDA finds no queue for it, and goes on looking"
    return TaskStatus("queued", message=one_line(f"{text}{because}."))


def _unwanted_without_jobs(answer: Mapping[str, Any], facts: TaskFacts) -> TaskStatus:
    """Return the status of a stopped job that PanDA has not made."""
    if _is_over(answer, facts):
        return TaskStatus("cancelled", "user", "Stopped before PanDA had made its job.")
    status = _without_jobs(answer, facts)
    text = f"{status.message}{stop_text(0, facts.attempts, answer, running=False)}"
    return replace(status, message=one_line(text))


def _unfinished(
    job: Mapping[str, Any],
    answer: Mapping[str, Any],
    unwanted: bool,
    facts: TaskFacts,
    now: float,
) -> TaskStatus:
    """Return the status of a job that waits or runs."""
    state = str(job["jobStatus"])
    running = state in RUNNING_JOB_STATES
    meaning = RUNNING_JOB_STATES.get(state) or QUEUED_JOB_STATES.get(state) or f"Is {state}"
    tried = ""
    if _try_number(job) > 1:
        tried = f", attempt {_try_number(job)} of {facts.attempts}"
    text = f"{meaning}{_at_site(job)} (PanDA job {job.get('PandaID')}, {state}{tried})."
    if unwanted:
        text += stop_text(_try_number(job), facts.attempts, answer, running)
    elif state == "activated":
        text += _long_wait(job, facts, now)
    text += silence(job, now)
    status = TaskStatus("queued", None, one_line(text), where=_site(job), node=_node(job))
    if running:
        return replace(status, state="running", started=job.get("startTime"))
    return status


def _long_wait(job: Mapping[str, Any], facts: TaskFacts, now: float) -> str:
    """Return a warning if a job has waited so long at a site that it may wait for ever.

    PanDA reports no error where no node of a site will ever fit a job.
    """
    since = job.get("stateChangeTime") or job.get("creationTime")
    if not isinstance(since, (int, float)) or now - since < LONG_WAIT_S:
        return ""
    condition = "takes such jobs"
    if facts.architecture:
        condition = f"has GPUs for {facts.architecture}"
    return (
        f" It has waited for {duration_text(now - since)}: if nothing there {condition}, "
        "it waits for ever, and PanDA does not say so."
    )


def _is_over(answer: Mapping[str, Any], facts: TaskFacts) -> bool:
    """Return whether PanDA makes no more jobs of a task."""
    state = answer.get("status")
    return state in FINAL_TASK_STATES or (state in ENDING_TASK_STATES and facts.long_killed)


def _is_tried_again(job: Mapping[str, Any], answer: Mapping[str, Any], facts: TaskFacts) -> bool:
    """Return whether PanDA makes a new job after the newest one has ended."""
    if _is_over(answer, facts):
        return False
    # PanDA closes a job to send it elsewhere, which is not counted as a try.
    return job["jobStatus"] == "closed" or _try_number(job) < facts.attempts


def _made_anew(job: Mapping[str, Any], answer: Mapping[str, Any], facts: TaskFacts) -> TaskStatus:
    """Return the status of a stopped job that has ended, and that PanDA may make anew."""
    text = f"Has ended (PanDA job {job.get('PandaID')}, {job['jobStatus']})."
    text += stop_text(_try_number(job), facts.attempts, answer, running=False)
    return TaskStatus("queued", None, one_line(text), where=_site(job))


def _tried_again(job: Mapping[str, Any], facts: TaskFacts) -> TaskStatus:
    """Return the status of a job whose last try failed and which PanDA tries again."""
    _, why = failure(job)
    number = _try_number(job)
    if job["jobStatus"] != "closed":
        number += 1
    number = min(number, facts.attempts)
    text = f"PanDA tries again, attempt {number} of {facts.attempts}. Before: {why}"
    return TaskStatus("queued", None, one_line(text), where=_site(job))


# after a job has ended ----------------------------------------------------------------


def _finished(job: Mapping[str, Any], settled: bool, facts: TaskFacts) -> TaskStatus:
    """Return the status of a job that PanDA calls finished.

    `settled` says that nothing more of the job will be fetched. This status then counts only for a
    job without a result: a result is believed before it.
    """
    status = TaskStatus(
        "running",
        message="Finished; what it left is being fetched.",
        where=_site(job),
        node=_node(job),
        started=job.get("startTime"),
    )
    if not settled:
        return status
    message = f"PanDA says that it finished; nothing of it came back.{_job_link(job, facts)}"
    return replace(status, state="done", reason="node", message=message, ended=job.get("endTime"))


def _ended(job: Mapping[str, Any], facts: TaskFacts) -> TaskStatus:
    """Return the status of a job that failed, or was cancelled, for good."""
    reason, why = failure(job)
    state = "failed"
    if job["jobStatus"] in ("cancelled", "closed"):
        state = "cancelled"
        # Only the user's own kill has a code. Other reasons are those of failures.
        if reason != "user":
            reason = None
    tried = ""
    if _try_number(job) > 1:
        tried = f" after {_try_number(job)} attempts"
    text = f"{state.capitalize()}{tried}{_at_site(job)}: {why}{_job_link(job, facts)}"
    return TaskStatus(
        state,
        reason,
        one_line(text),
        where=_site(job),
        node=_node(job),
        started=job.get("startTime"),
        ended=job.get("endTime"),
    )


# parts of an answer -------------------------------------------------------------------


def _try_number(job: Mapping[str, Any]) -> int:
    """Return which of PanDA's tries a job is, from 1."""
    number = job.get("attemptNr")
    if isinstance(number, int):
        return number
    return 1


def _site(job: Mapping[str, Any]) -> str | None:
    return one_line(job.get("computingSite"), NAME_LENGTH)


def _at_site(job: Mapping[str, Any]) -> str:
    site = _site(job)
    if not site:
        return ""
    return f" at {site}"


def _node(job: Mapping[str, Any]) -> str | None:
    element = job.get("computingElement")
    if element in NO_VALUE:
        return None
    return one_line(element, NAME_LENGTH)


def _page(
    tries: Sequence[Mapping[str, Any]], answer: Mapping[str, Any], facts: TaskFacts
) -> str | None:
    """Return the monitor's page about a job, or about its task while PanDA has made no job."""
    if not facts.monitor:
        return None
    page = _task_page(answer, facts)
    if tries:
        page = _job_link(newest(tries), facts).strip()
    return one_line(page, LINK_LENGTH)


def _task_page(answer: Mapping[str, Any], facts: TaskFacts) -> str:
    return f"{facts.monitor}/task/{answer.get('id')}/"


def _job_link(job: Mapping[str, Any], facts: TaskFacts) -> str:
    """Return a blank and the monitor's page about a job, to be put behind a sentence."""
    if not facts.monitor:
        return ""
    return f" {facts.monitor}/job?pandaid={job.get('PandaID')}"
