"""PanDA's states, error codes and diagnostics in ours. Pure; all that PanDA says is bounded and shown as text."""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from jupyter_gridgpu.backends.batch.exit_codes import exit_words
from jupyter_gridgpu.backends.batch.inquiry import TaskStatus
from jupyter_gridgpu.model.job import bounded
from jupyter_gridgpu.model.units import duration

HOPELESS_S = 1800.0  # that a job waits at a site, until it is said that it may do so for ever
FINAL = frozenset(
    {"done", "finished", "failed", "broken", "aborted", "exhausted"}
)  # states of tasks that make no more jobs
RUNNING = {
    "running": "Runs",
    "holding": "Has ended, PanDA takes stock of it",
    "transferring": "Has ended, its files are on their way",
    "merging": "Has ended, its files are being merged",
}
QUEUED = {
    "pending": "PanDA prepares it",
    "defined": "PanDA prepares it",
    "waiting": "Waits for its input",
    "assigned": "Its input is on the way",
    "activated": "Waits for a free place",
    "throttled": "PanDA holds it back, since many others run",
    "sent": "A pilot has taken it",
    "starting": "Starts",
}
ENDED = frozenset({"finished", "failed", "cancelled", "closed"})
PARTS = ("pilot", "ddm", "jobDispatcher", "taskBuffer", "brokerage", "sup", "exe")
REASONS = {
    ("pilot", 1212): "oom",
    ("pilot", 1223): "oom",
    ("pilot", 1213): "timeout",
    ("pilot", 1150): "timeout",
    ("pilot", 1144): "user",
}  # what a code means beyond 'node'
_IMAGE = re.compile(
    r"singularity|apptainer|container image|image not found|pull image", re.IGNORECASE
)
_MEMORY = re.compile(r"out of memory|exceeded.*memory", re.IGNORECASE)
_DATABASE_NONE = (None, "", "NULL", 0, "0")
TASK = {
    "registered": "PanDA has the task and prepares it",
    "defined": "PanDA has the task and prepares it",
    "assigning": "PanDA chooses a site",
    "ready": "PanDA chooses a queue",
    "pending": "PanDA finds no queue for it, for now",
    "throttled": "PanDA holds the task back",
    "paused": "The task is paused at PanDA",
    "scouting": "PanDA tries a few jobs first",
    "running": "PanDA makes its job",
}


@dataclass(frozen=True)
class TaskFacts:
    """What a task was asked for, as far as words need it."""

    architecture: str = ""
    attempts: int = 3  # of PanDA at each job; what a job's own maxAttempt says is another number
    monitor: str = ""
    unwanted: frozenset[int] = frozenset()  # jobs, by sequence number, that are to end
    settled: frozenset[int] = frozenset()  # jobs of which all is fetched that will come


def task_status(
    body: Mapping[str, Any], size: int, about: TaskFacts, now: float
) -> dict[int, TaskStatus]:
    """Return what a task's answer says of each of its jobs, by sequence number."""
    jobs: dict[int, list[Mapping[str, Any]]] = {}
    for job in body.get("jobs") or ():
        jobs.setdefault(job["seq"], []).append(job)
    return {
        number: replace(
            _seen(number, jobs.get(number, []), body, about, now),
            link=_page(jobs.get(number), body, about),
        )
        for number in range(1, size + 1)
    }


def _page(
    jobs: Iterable[Mapping[str, Any]] | None, body: Mapping[str, Any], about: TaskFacts
) -> str | None:
    """The monitor's page about a job, or about the task as long as it has none."""
    if not about.monitor:
        return None
    return bounded(
        _link(newest(jobs), about).strip() if jobs else f"{about.monitor}/task/{body.get('id')}/",
        300,
    )


def _seen(
    number: int,
    jobs: Collection[Mapping[str, Any]],
    body: Mapping[str, Any],
    about: TaskFacts,
    now: float,
) -> TaskStatus:
    """PanDA's own attempts are copies of one job of ours: one that finished counts, else the last."""
    finished = [job for job in jobs if job["jobStatus"] == "finished"]
    if finished:
        return _finished(newest(finished), number in about.settled, about)
    killed = number in about.unwanted and body.get("killed")
    if not jobs:
        return (
            TaskStatus("cancelled", "user", "Stopped before PanDA had made its job.")
            if killed
            else _task_alone(body, about)
        )
    job, final = newest(jobs), body.get("status") in FINAL
    if job["jobStatus"] not in ENDED:
        if killed and job["jobStatus"] not in RUNNING:
            return TaskStatus("cancelled", "user", "Stopped before it ran.", _site(job))
        return _live(job, number in about.unwanted, about, now)
    again = (
        not final
        and not killed
        and (job["jobStatus"] == "closed" or _attempt(job) < about.attempts)
    )
    return _again(job, about) if again else _over(job, body, about)


def newest(jobs: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The last attempt: PanDA's numbers of jobs grow, those of outputs need not."""
    return max(jobs, key=lambda job: (_attempt(job), job.get("PandaID") or 0))


def _attempt(job: Mapping[str, Any]) -> int:
    number = job.get("attemptNr")
    return number if isinstance(number, int) else 1


def _site(job: Mapping[str, Any]) -> str | None:
    return bounded(job.get("computingSite"), 80)


def _node(job: Mapping[str, Any]) -> str | None:
    element = job.get("computingElement")
    return bounded(element, 80) if element not in _DATABASE_NONE else None


# while it goes on -------------------------------------------------------------------------


def _finished(job: Mapping[str, Any], settled: bool, about: TaskFacts) -> TaskStatus:
    times = {"started": job.get("startTime"), "ended": job.get("endTime")}
    if not settled:
        return TaskStatus(
            "running",
            None,
            "Finished; what it left is being fetched.",
            _site(job),
            _node(job),
            job.get("startTime"),
        )
    return TaskStatus("done", "node", f"PanDA says that it finished; nothing of it came back.{_link(job, about)}",
                _site(job), _node(job), **times)  # fmt: skip


def _live(job: Mapping[str, Any], unwanted: bool, about: TaskFacts, now: float) -> TaskStatus:
    status, attempt = str(job["jobStatus"]), _attempt(job)
    running = status in RUNNING
    words = RUNNING.get(status) or QUEUED.get(status) or f"Is {status}"
    at = f" at {_site(job)}" if _site(job) else ""
    tried = f", attempt {attempt} of {about.attempts}" if attempt > 1 else ""
    text = f"{words}{at} (PanDA job {job.get('PandaID')}, {status}{tried})."
    if unwanted:
        text += (
            " It is told to end with its pilot's next sign of life."
            if running
            else " It is being stopped."
        )
    elif status == "activated":
        text += _patience(job, about, now)
    started = job.get("startTime") if running else None
    return TaskStatus(
        "running" if running else "queued", None, bounded(text), _site(job), _node(job), started
    )


def _patience(job: Mapping[str, Any], about: TaskFacts, now: float) -> str:
    """PanDA reports no error where no node of a site will ever fit."""
    since = job.get("stateChangeTime") or job.get("creationTime")
    waited = now - since if isinstance(since, (int, float)) else 0.0
    if waited < HOPELESS_S:
        return ""
    what = f"has GPUs for {about.architecture}" if about.architecture else "takes such jobs"
    return f" It has waited for {duration(waited)}: if nothing there {what}, it waits for ever, and PanDA does not say so."


def _task_alone(body: Mapping[str, Any], about: TaskFacts) -> TaskStatus:
    """A job of which PanDA's task is all there is."""
    status, said = str(body.get("status")), dialog(body.get("errorDialog"))
    page = f" {about.monitor}/task/{body.get('id')}/" if about.monitor else ""
    if status == "aborted":
        return TaskStatus(
            "cancelled", message=f"The task was killed at PanDA{f': {said}' if said else ''}.{page}"
        )
    if status in FINAL:
        why = f": {said}" if said else " and gives no reason"
        return TaskStatus(
            "failed", "submit", bounded(f"PanDA's task {body.get('id')} is {status}{why}.{page}")
        )
    words = TASK.get(status, f"PanDA's task is {status}")
    if said and status in ("pending", "ready", "assigning"):
        words = "PanDA finds no queue for it, and goes on looking"
    return TaskStatus("queued", message=bounded(f"{words}{f': {said}' if said else ''}."))


def _again(job: Mapping[str, Any], about: TaskFacts) -> TaskStatus:
    """An attempt that failed, and that PanDA makes anew."""
    _, why = failure(job)
    number = _attempt(job) + (job["jobStatus"] != "closed")
    text = f"PanDA tries again, attempt {min(number, about.attempts)} of {about.attempts}. Before: {why}"
    return TaskStatus("queued", None, bounded(text), _site(job))


# at its end -------------------------------------------------------------------------------


def _over(job: Mapping[str, Any], body: Mapping[str, Any], about: TaskFacts) -> TaskStatus:
    reason, why = failure(job)
    state = "failed"
    if job["jobStatus"] in ("cancelled", "closed"):
        state, reason = "cancelled", "user" if reason == "user" else None
    tried = f" after {_attempt(job)} attempts" if _attempt(job) > 1 else ""
    text = f"{state.capitalize()}{tried}{f' at {_site(job)}' if _site(job) else ''}: {why}{_link(job, about)}"
    return TaskStatus(
        state,
        reason,
        bounded(text),
        _site(job),
        _node(job),
        job.get("startTime"),
        job.get("endTime"),
    )


def failure(job: Mapping[str, Any]) -> tuple[str | None, str]:
    """Return reason and words for the codes and diagnostics of a job that ended badly."""
    codes = {part: code for part in PARTS if (code := _number(job.get(f"{part}ErrorCode")))}
    said = [text for part in codes if (text := _said(job.get(f"{part}ErrorDiag")))]
    exit_code = _number(job.get("transExitCode"))
    numbers = [f"{part} {code}" for part, code in codes.items() if part != "exe"] + [
        f"exit code {exit_code}"
    ] * bool(exit_code)
    words = f"{said[0] if said else _unsaid(job)}{f' ({chr(44).join(numbers)})' if numbers else ''}.".replace(
        ",", ", "
    )
    reason = next(
        (REASONS[part, code] for part, code in codes.items() if (part, code) in REASONS), None
    )
    if reason is None and exit_code in (71, 72, 73, 74, 75):
        reason, ours = exit_words(exit_code)
        return reason, f"{ours} {words}"
    if reason is None and _MEMORY.search(words):
        reason = "oom"
    return reason or ("image" if _IMAGE.search(words) else "node"), words


def _unsaid(job: Mapping[str, Any]) -> str:
    return f"PanDA says no more than {job['jobStatus']}"


def _number(value: Any) -> int:
    """A code, which may be a text; 0 where there is none."""
    try:
        return 0 if value in _DATABASE_NONE else int(value)
    except (TypeError, ValueError):
        return 0


def _said(value: Any) -> str | None:
    text = bounded(value, 200) if value not in _DATABASE_NONE else None
    return text.rstrip(". ") if text else None


def _link(job: Mapping[str, Any], about: TaskFacts) -> str:
    return f" {about.monitor}/job?pandaid={job.get('PandaID')}" if about.monitor else ""


def dialog(text: Any) -> str | None:
    """Return what a task's errorDialog says, without its markup and the link to a log."""
    plain = html.unescape(re.sub(r"<[^>]*>", " ", text)) if isinstance(text, str) else None
    said = re.sub(r"^\s*log\s*:\s*", "", bounded(plain, 300) or "").strip(" .")
    return said or None
