"""The process that speaks to PanDA.

    python -m jupyter_gridgpu.backends.panda.client

reads one question from stdin, `{"verb": "check" | "send" | "ask", ...}`, and writes one JSON body
to stdout, or into the file that the question names under `answer`. The body is `{"answer": ...}`,
or `{"refused": text}`, or `{"unreachable": text}`; see client_call.py.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from jupyter_gridgpu.backends.panda.client_call import REFUSED, SILENT
from jupyter_gridgpu.backends.panda.error_codes import ERROR_SOURCES
from jupyter_gridgpu.backends.panda.sending import send
from jupyter_gridgpu.backends.panda.states import ENDED_JOB_STATES, FINAL_TASK_STATES
from jupyter_gridgpu.backends.panda.wrapped_client import PandaClient
from jupyter_gridgpu.errors import GridGpuError, Unreachable
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.opener import LOCK, plain_handle
from jupyter_gridgpu.store.paths import write_json

FETCH_LIMIT = 200  # jobs whose metadata are fetched for one question
METADATA_BYTES = 4_000_000
WORDS_LENGTH = 200
_JOB_FIELDS = (
    "PandaID",
    "attemptNr",
    "jobStatus",
    "computingSite",
    "computingElement",
    "transExitCode",
    *(f"{source}ErrorCode" for source in ERROR_SOURCES),
    *(f"{source}ErrorDiag" for source in ERROR_SOURCES),
)
_JOB_TIMES = ("creationTime", "startTime", "endTime", "stateChangeTime", "modificationTime")


# checking -----------------------------------------------------------------------------


def check(question: dict[str, Any]) -> dict[str, Any]:
    """Return the name by which the server knows the user, if it answers. Raises Unreachable."""
    panda = PandaClient()
    panda.ask("hello")
    submitter = panda.submitter()
    return {"nickname": submitter.nickname, "vo": submitter.vo, "server": submitter.server}


# asking -------------------------------------------------------------------------------


def ask(question: dict[str, Any]) -> list[dict[str, Any]]:
    """Return for each of `tasks` what PanDA says of the task and its jobs. Raises Unreachable.

    A task is given as its `id`, its `size` in jobs, the `folder` that metadata are put into, the
    sequence numbers of jobs that are `unwanted` and of those whose metadata are `kept` here, and
    whether it was `killed`.
    """
    panda = PandaClient()
    return [_task_answer(panda, task) for task in question["tasks"]]


def _task_answer(panda: PandaClient, task: dict[str, Any]) -> dict[str, Any]:
    """Return what PanDA says of a task; kill unwanted jobs and fetch metadata that are missing."""
    number = int(task["id"])
    known, details = panda.ask("get_task_details_json", number)
    if not known and "not found" in str(details):
        return {"id": task["id"], "unknown": str(details)}
    descriptions = panda.ask("get_job_descriptions", number)
    # What is in no form that we know tells nothing, and no job may be lost by it.
    if not known or not isinstance(details, dict) or not isinstance(descriptions, list):
        said = one_line(str(details), WORDS_LENGTH) if not known else None
        raise Unreachable(f"PanDA's answer about task {number} cannot be read ({said or 'odd'})")
    jobs = []
    for description in descriptions:
        job = _job_answer(description)
        if job is not None:
            jobs.append(job)
    answer = {
        "id": task["id"],
        "status": details.get("status"),
        "errorDialog": details.get("errorDialog"),
        "jobs": jobs,
        "kept": _fetch_metadata(panda, Path(task["folder"]), jobs, set(task["kept"])),
    }
    if task["unwanted"]:
        answer.update(_end_unwanted(panda, task, answer))
    return answer


def _job_answer(description: Any) -> dict[str, Any] | None:
    """Return the fields of PanDA's description of a job that we use; None for a foreign job."""
    if not isinstance(description, dict):
        return None
    files = [file for file in description.get("Files") or [] if isinstance(file, dict)]
    number = _sequence_number(files)
    if number is None:
        return None
    outputs = [
        f"{file.get('scope')}:{file.get('lfn')}" for file in files if file.get("type") == "output"
    ]
    answer: dict[str, Any] = {"seq": number, "outputs": outputs}
    for name in _JOB_FIELDS:
        answer[name] = description.get(name)
    for name in _JOB_TIMES:
        answer[name] = _seconds(description.get(name))
    return answer


def _sequence_number(files: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the sequence number of a job, which PanDA keeps as the name of an input file."""
    for file in files:
        if file.get("dataset") == "seq_number":
            text = str(file.get("lfn"))
            if text.isdecimal():
                return int(text)
            return None
    return None


def _seconds(moment: Any) -> float | None:
    """Return a time of PanDA in seconds since the epoch."""
    if not isinstance(moment, datetime):
        return None
    # PanDA's times name no zone and are UTC.
    return moment.replace(tzinfo=timezone.utc).timestamp()


def _fetch_metadata(
    panda: PandaClient, folder: Path, jobs: Sequence[Mapping[str, Any]], kept: set[int]
) -> list[int]:
    """Put the metadata of finished jobs into files of `folder`.

    Return the sequence numbers of the jobs that PanDA was asked for, with or without success.
    """
    numbers = {}
    for job in jobs:
        if job["jobStatus"] == "finished" and job["seq"] not in kept:
            numbers[job["PandaID"]] = job["seq"]
    chosen = list(numbers)[:FETCH_LIMIT]
    if not chosen:
        return []
    folder.mkdir(mode=0o700, exist_ok=True)
    tried = []
    for job in panda.ask("getFullJobStatus", chosen) or ():
        if job is None or job.PandaID not in numbers:
            continue
        number = numbers[job.PandaID]
        tried.append(number)
        # A job may leave no metadata, or metadata in another form than ours.
        with contextlib.suppress(ValueError, TypeError, KeyError):
            body = parse_json(job.metadata, METADATA_BYTES)["user_job_metadata"]
            write_json(folder / f"{number}.json", body)
    return tried


def _end_unwanted(
    panda: PandaClient, task: Mapping[str, Any], answer: Mapping[str, Any]
) -> dict[str, Any]:
    """Kill a task if none of its jobs is wanted any more, and kill its unwanted jobs.

    Return `killed`, which says whether PanDA has registered the end of the task, or `not_killed`,
    which says why PanDA took no order. What PanDA said of the jobs is good all the same.
    """
    unwanted = set(task["unwanted"])
    finished = {job["seq"] for job in answer["jobs"] if job["jobStatus"] == "finished"}
    unfinished = set(range(1, task["size"] + 1)) - finished
    killed = bool(task["killed"])
    try:
        if unfinished <= unwanted and not killed and answer["status"] not in FINAL_TASK_STATES:
            taken, reply = panda.ask("killTask", int(task["id"]))
            # PanDA rejects the command for a task that has ended. In its first seconds a task is
            # not known and goes on, so the command is given again with the next question.
            killed = bool(taken) or "rejected" in str(reply)
        # PanDA may overlook jobs that it made in the second in which it took the end of their
        # task, and it makes a killed job anew. So jobs are killed with each question, until none
        # is left.
        live = [
            job["PandaID"]
            for job in answer["jobs"]
            if job["seq"] in unwanted and job["jobStatus"] not in ENDED_JOB_STATES
        ]
        if live:
            panda.ask("killJobs", live)
    except Unreachable as error:
        return {"killed": killed, "not_killed": str(error)}
    return {"killed": killed}


# the process --------------------------------------------------------------------------

VERBS = {"check": check, "send": send, "ask": ask}


def body_for(question: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON body for a question: with its answer, or with the error."""
    try:
        return {"answer": VERBS[question["verb"]](question)}
    except Unreachable as error:
        return {SILENT: str(error)}
    except GridGpuError as error:
        return {REFUSED: str(error)}
    except OSError as error:
        # The disk may be full, for example. The next try may succeed.
        return {SILENT: f"{error.strerror}: {error.filename or 'a file of the scan'}"}
    except Exception as error:
        # An answer in a form that nobody knew. Without this body, nobody would hear of it.
        kind = type(error).__name__
        return {SILENT: f"what PanDA answered cannot be used ({kind}: {error})"[:WORDS_LENGTH]}


def main() -> None:
    """Read the question from stdin and write the answer."""
    question = parse_json(sys.stdin.read())
    # panda-client may ask for a password on stdin. From an empty stdin it gets no answer, instead
    # of waiting for one.
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    # PandaClient replaces the handle of stdout, so the answer needs a handle of its own.
    stdout = os.dup(1)
    if "answer" not in question:
        with os.fdopen(stdout, "w", encoding="utf-8") as stream:
            stream.write(json.dumps(body_for(question)))
        return
    # Nobody waits for this process, so it ends itself if PanDA never answers.
    signal.alarm(int(question["patience_s"]))
    target = Path(question["answer"])
    lock_file = target.with_suffix(".lock")
    # Each process that sends makes this file before PanDA hears of it.
    again = lock_file.exists()
    with os.fdopen(plain_handle(lock_file, LOCK), "wb") as lock:
        # A process that a killed runner has started may still be sending the same batch. A file
        # system without locks raises OSError; then PanDA itself finds the task by its name.
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            write_json(target, body_for({**question, "again": again}))


if __name__ == "__main__":
    main()
