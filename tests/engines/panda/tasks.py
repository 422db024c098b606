"""The tasks and jobs of the stand-in, as its answers describe them."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from tests.engines.panda.recorded import job_fields, task_fields

ENDED = ("finished", "failed", "cancelled", "closed")  # states of jobs
REPORTED = ("finished", "failed", "cancelled")  # ends that a worker tells
UNSUCCESSFUL = ("failed", "cancelled", "closed")
FINAL = ("done", "finished", "failed", "broken", "aborted", "exhausted")  # states of tasks
# The state of an output file by that of its job.
FILE_STATES = {"finished": "ready", "failed": "failed", "cancelled": "failed"}


def stamp(moment: float) -> dict[str, str]:
    """Return a Unix time as the server writes it: UTC, without a zone."""
    utc = datetime.fromtimestamp(moment, timezone.utc).replace(tzinfo=None)
    return {"__datetime__": utc.isoformat()}


@dataclass
class Job:
    """One attempt of PanDA at one sequence number."""

    ident: int
    task: Task
    number: int  # the sequence number
    attempt: int
    serial: int  # which job of the task this is, from 1
    site: str
    status: str = "defined"
    fields: dict[str, Any] = field(default_factory=dict)  # what else was told about the job
    created: float = field(default_factory=time.time)
    heard: float = field(default_factory=time.time)  # when it changed or its pilot last reported
    to_be_killed: bool = False
    outcome: str = "finished"  # what a job in holding will be
    metadata: Any = None

    def set(self, status: str, **fields: Any) -> None:
        """Move the job to a state."""
        self.status = status
        self.heard = time.time()
        self.fields.update(fields, stateChangeTime=stamp(time.time()))

    def describe(self) -> dict[str, Any]:
        """Return the job as get_job_descriptions and get_description_incl_archive give it."""
        task = self.task
        outputs = task.outputs()
        return {
            **job_fields(),
            "PandaID": self.ident,
            "jediTaskID": task.ident,
            "jobStatus": self.status,
            "attemptNr": self.attempt,
            "maxAttempt": 3,
            "jobName": f"{task.name}.{self.ident}",
            "computingSite": self.site,
            "jobParameters": self.parameters(),
            "creationTime": stamp(self.created),
            "stateChangeTime": stamp(self.created),
            "modificationTime": stamp(self.heard),
            "Files": self._files(),
            "destinationDBlock": outputs[0]["dataset"] if outputs else None,
            "metadata": self.metadata,
            "container_name": task.params.get("container_name"),
            **self.fields,
        }

    def _files(self) -> list[dict[str, Any]]:
        """Return the files of the job: pretended inputs, outputs and logs."""
        files = [
            ("pseudo_lfn", "pseudo_input", "pseudo_dataset"),
            (str(self.number), "pseudo_input", "seq_number"),
        ]
        for output in self.task.outputs():
            files += [(self.named(output["value"]), "output", output["dataset"])]
        for log in self.task.logs():
            files += [(self.named(log["value"]), "log", log["dataset"])]
        return [self._file(*file) for file in files]

    def _file(self, lfn: str, kind: str, dataset: str) -> dict[str, Any]:
        like = next(file for file in job_fields()["Files"] if file["type"] == kind)
        status = "unknown"
        if "pseudo" not in kind:
            status = FILE_STATES.get(self.status, status)
        return {
            **like,
            "PandaID": self.ident,
            "jediTaskID": self.task.ident,
            "lfn": lfn,
            "dataset": dataset,
            "status": status,
        }

    def named(self, template: str) -> str:
        """Return the name of a file of this job by the template of its task."""
        text = template.replace("$JEDITASKID", str(self.task.ident))
        return text.replace("${SN/P}", f"{self.serial:06d}").replace("${SN}", f"{self.serial:06d}")

    def parameters(self) -> str:
        """Return the line of parameters that the pilot gives to runGen."""
        text = ""
        for parameter in self.task.params["jobParameters"]:
            if parameter.get("hidden") or parameter.get("param_type") == "input":
                continue
            number = self.number + parameter.get("offset", 0)
            text += self.named(parameter["value"]).replace("${SEQNUMBER}", str(number))
            if parameter.get("padding") is not False:
                text += " "
        return text.strip().replace("${SURL}", self.task.params["sourceURL"])


@dataclass
class Task:
    """A task: a map of parameters, and the jobs that JEDI made of it."""

    ident: int
    params: dict[str, Any]
    owner: str
    site: str = ""  # where its jobs go
    status: str = ""  # empty: not known to anybody yet
    old: str | None = None  # the state before, where the server tells it
    dialog: str | None = None  # what the server says about the state
    command: str | None = None  # what JEDI is to do with it next
    attempt: int = 0  # how often it was retried
    jobs: list[Job] = field(default_factory=list)
    given_up: set[int] = field(default_factory=set)  # numbers that get no further attempt
    reactivations: int = 0  # how often a second task of its name made it begin anew
    made: float = field(default_factory=time.time)
    moved: float = 0.0  # when it came into its state
    ended: float | None = None

    @property
    def name(self) -> str:
        """Return the name that the client gave."""
        return str(self.params["taskName"])

    @property
    def young(self) -> bool:
        """Whether JEDI has not taken the task over yet, so that nobody finds it by its name."""
        return self.status in ("", "registered")

    @property
    def size(self) -> int:
        """Return how many sequence numbers the task has."""
        return int(self.params["nEvents"])

    @property
    def max_attempt(self) -> int:
        """Return how many attempts a number gets."""
        return int(self.params.get("maxAttempt", 3))

    def numbers(self) -> range:
        """Return the sequence numbers."""
        return range(1, self.size + 1)

    def outputs(self) -> list[dict[str, Any]]:
        """Return the parameters that are output files."""
        return [one for one in self.params["jobParameters"] if one.get("param_type") == "output"]

    def logs(self) -> list[dict[str, Any]]:
        """Return the parameter that is the log, in a list; empty if there is none."""
        if "log" not in self.params:
            return []
        return [self.params["log"]]

    def last(self, number: int) -> Job | None:
        """Return the newest job of a sequence number, or None if it has none."""
        for job in reversed(self.jobs):
            if job.number == number:
                return job
        return None

    def done(self, number: int) -> bool:
        """Return whether a job of the number has finished."""
        return any(job.number == number and job.status == "finished" for job in self.jobs)

    def done_count(self) -> int:
        """Return how many numbers are done."""
        return sum(self.done(number) for number in self.numbers())

    def alive(self) -> list[Job]:
        """Return the jobs that have not ended."""
        return [job for job in self.jobs if job.status not in ENDED]

    def statistics(self) -> dict[str, int]:
        """Return how many inputs are in which state, as get_details counts them."""
        counts: dict[str, int] = {}
        if self.young or self.status == "defined":
            return counts
        for number in self.numbers():
            state = self._input_state(number)
            counts[state] = counts.get(state, 0) + 1
        return counts

    def _input_state(self, number: int) -> str:
        job = self.last(number)
        if number in self.given_up and job is not None and job.status in UNSUCCESSFUL:
            return "failed"
        if job is None or job.status in UNSUCCESSFUL:
            return "tobedone"
        return job.status

    def details(self) -> dict[str, Any]:
        """Return the task as get_detailed_info gives it."""
        known = self.status not in ("registered", "defined")
        done, failed = self.done_count(), len(self.given_up)
        fields = {
            **task_fields(),
            "jediTaskID": self.ident,
            "taskName": self.name,
            "status": self.status,
            "oldStatus": self.old,
            "superStatus": self.super_status(),
            "errorDialog": self.dialog,
            "attemptNr": self.attempt,
            "site": self.params.get("site"),
            "nFiles": self.size if known else 0,
            "nFilesFinished": done,
            "nFilesFailed": failed,
            "pctFinished": 100 * done // self.size,
            "pctFailed": 100 * failed // self.size,
            "endTime": None if self.ended is None else stamp(self.ended),
            "raw_task_params": self.params,
        }
        if self.young:
            # JEDI has not looked at it yet.
            fields.update(site=None, splitRule=None, attemptNr=None)
            fields.update(taskName=str(uuid.uuid4()), userName="tobeset")
        return fields

    def super_status(self) -> str:
        """Return the state in the coarser words that the server has next to the fine ones."""
        if self.status in (*FINAL, "running"):
            return self.status
        if self.status == "toincexec":
            return str(self.old)
        if self.status in ("prepared", "passed", "finishing", "aborting", "toabort"):
            return "running" if self.jobs else "registered"
        if self.status == "ready" and self.attempt:
            return "ready"
        return "registered"
