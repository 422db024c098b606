"""The tasks and jobs of the stand-in, as its answers describe them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from tests.engines.panda.recorded import job_fields, task_fields

ENDED = ("finished", "failed", "cancelled", "closed")
FINAL = ("done", "finished", "failed", "broken", "aborted", "exhausted")
SUPER = {"defined": "registered"}


def stamp(moment: float) -> dict[str, str]:
    """A moment as the server writes it: UTC, without a zone."""
    return {
        "__datetime__": datetime.fromtimestamp(moment, timezone.utc)
        .replace(tzinfo=None)
        .isoformat()
    }


@dataclass
class Gpu:
    """The GPU of a site's workers, as their pilots tell it."""

    vendor: str = "nvidia"
    model: str = "NVIDIA H100"
    vram: int = 81920
    cuda: float | None = None


@dataclass
class Job:
    """One attempt of PanDA at one sequence number."""

    ident: int
    task: Task
    number: int
    attempt: int
    serial: int
    site: str
    status: str = "activated"
    fields: dict[str, Any] = field(default_factory=dict)
    created: float = field(default_factory=time.time)
    to_be_killed: bool = False
    outcome: str = "finished"  # what a job in holding will be
    metadata: Any = None

    def set(self, status: str, **fields: Any) -> None:
        self.status = status
        self.fields.update(fields, stateChangeTime=stamp(time.time()))

    def describe(self) -> dict[str, Any]:
        """The job as get_job_descriptions and get_description_incl_archive give it."""
        task = self.task
        files = [
            self._file("pseudo_lfn", "pseudo_input", "pseudo_dataset"),
            self._file(str(self.number), "pseudo_input", "seq_number"),
            *(
                self._file(self.named(one["value"]), "output", one["dataset"])
                for one in task.outputs()
            ),
            *(self._file(self.named(one["value"]), "log", one["dataset"]) for one in task.logs()),
        ]
        return {
            **job_fields(),
            "PandaID": self.ident, "jediTaskID": task.ident, "jobStatus": self.status, "attemptNr": self.attempt,
            "maxAttempt": 3, "jobName": f"{task.name}.{self.ident}", "computingSite": self.site,
            "jobParameters": self.parameters(), "creationTime": stamp(self.created),
            "stateChangeTime": stamp(self.created), "Files": files,
            "destinationDBlock": next((one["dataset"] for one in task.outputs()), None),
            "metadata": None if self.metadata is None else self.metadata, "container_name": task.params.get("container_name"),
            **self.fields,
        }  # fmt: skip

    def _file(self, lfn: str, kind: str, dataset: str) -> dict[str, Any]:
        like = next(one for one in job_fields()["Files"] if one["type"] == kind)
        states = (
            {"finished": "ready", "failed": "failed", "cancelled": "failed"}
            if "pseudo" not in kind
            else {}
        )
        status = states.get(self.status, "unknown")
        return {
            **like,
            "PandaID": self.ident,
            "jediTaskID": self.task.ident,
            "lfn": lfn,
            "dataset": dataset,
            "status": status,
        }

    def named(self, template: str) -> str:
        text = template.replace("$JEDITASKID", str(self.task.ident))
        return text.replace("${SN/P}", f"{self.serial:06d}").replace("${SN}", f"{self.serial:06d}")

    def parameters(self) -> str:
        """The line of parameters that the pilot gives to runGen."""
        text = ""
        for one in self.task.params["jobParameters"]:
            if not one.get("hidden") and one.get("param_type") != "input":
                text += self.named(one["value"]).replace(
                    "${SEQNUMBER}", str(self.number + one.get("offset", 0))
                )
                text += "" if one.get("padding") is False else " "
        return text.strip().replace("${SURL}", self.task.params["sourceURL"])


@dataclass
class Task:
    ident: int
    params: dict[str, Any]
    owner: str
    site: str = ""  # where its jobs go
    status: str = ""  # not known to anybody yet
    old: str | None = None
    dialog: str | None = None
    command: str | None = None  # what JEDI is to do with it next
    attempt: int = 0
    jobs: list[Job] = field(default_factory=list)
    given_up: set[int] = field(default_factory=set)  # numbers that get no further attempt
    made: float = field(default_factory=time.time)
    ended: float | None = None

    @property
    def name(self) -> str:
        return str(self.params["taskName"])

    @property
    def size(self) -> int:
        return int(self.params["nEvents"])

    @property
    def max_attempt(self) -> int:
        return int(self.params.get("maxAttempt", 3))

    def outputs(self) -> list[dict[str, Any]]:
        return [one for one in self.params["jobParameters"] if one.get("param_type") == "output"]

    def logs(self) -> list[dict[str, Any]]:
        return [self.params["log"]] if "log" in self.params else []

    def last(self, number: int) -> Job | None:
        found = [job for job in self.jobs if job.number == number]
        return found[-1] if found else None

    def done(self, number: int) -> bool:
        return any(job.number == number and job.status == "finished" for job in self.jobs)

    def alive(self) -> list[Job]:
        return [job for job in self.jobs if job.status not in ENDED]

    def statistics(self) -> dict[str, int]:
        """How many inputs are in which state, as get_details counts them."""
        counts: dict[str, int] = {}
        for number in (
            range(1, self.size + 1) if self.status not in ("", "registered", "defined") else ()
        ):
            job = self.last(number)
            state = "tobedone" if job is None else job.status
            if job is not None and job.status in ("failed", "cancelled", "closed"):
                state = "failed" if number in self.given_up else "tobedone"
            counts[state] = counts.get(state, 0) + 1
        return counts

    def details(self) -> dict[str, Any]:
        """The task as get_detailed_info gives it."""
        known = self.status not in ("registered", "defined")
        numbers = range(1, self.size + 1)
        done, failed = sum(self.done(n) for n in numbers), len(self.given_up)
        fields = {
            **task_fields(),
            "jediTaskID": self.ident, "taskName": self.name, "status": self.status, "oldStatus": self.old,
            "superStatus": self.super_status(), "errorDialog": self.dialog, "attemptNr": self.attempt,
            "site": self.params.get("site"), "nFiles": self.size if known else 0, "nFilesFinished": done, "nFilesFailed": failed,
            "pctFinished": 100 * done // self.size, "pctFailed": 100 * failed // self.size,
            "endTime": None if self.ended is None else stamp(self.ended), "raw_task_params": self.params,
        }  # fmt: skip
        return (
            {**fields, "site": None, "splitRule": None, "attemptNr": None}
            if self.status == "registered"
            else fields
        )

    def super_status(self) -> str:
        if self.status in (*FINAL, "running"):
            return self.status
        if self.status == "toincexec":
            return str(self.old)
        if self.status in ("prepared", "passed", "finishing", "aborting", "toabort"):
            return "running" if self.jobs else "registered"
        return "ready" if self.status == "ready" and self.attempt else "registered"
