"""The tasks and jobs of the stand-in, and the steps that JEDI takes with them, one at a time."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from tests.engines.panda.recorded import job_fields, resubmission, task_fields

ENDED = ("finished", "failed", "cancelled", "closed")
FINAL = ("done", "finished", "failed", "broken", "aborted", "exhausted")
SUPER = {"defined": "registered"}


def stamp(moment: float) -> dict[str, str]:
    """A moment as the server writes it: UTC, without a zone."""
    return {"__datetime__": datetime.fromtimestamp(moment, timezone.utc).replace(tzinfo=None).isoformat()}


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
            *(self._file(self.named(one["value"]), "output", one["dataset"]) for one in task.outputs()),
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
        states = {"finished": "ready", "failed": "failed", "cancelled": "failed"} if "pseudo" not in kind else {}
        status = states.get(self.status, "unknown")
        return {**like, "PandaID": self.ident, "jediTaskID": self.task.ident, "lfn": lfn, "dataset": dataset, "status": status}

    def named(self, template: str) -> str:
        text = template.replace("$JEDITASKID", str(self.task.ident))
        return text.replace("${SN/P}", f"{self.serial:06d}").replace("${SN}", f"{self.serial:06d}")

    def parameters(self) -> str:
        """The line of parameters that the pilot gives to runGen."""
        text = ""
        for one in self.task.params["jobParameters"]:
            if not one.get("hidden") and one.get("param_type") != "input":
                text += self.named(one["value"]).replace("${SEQNUMBER}", str(self.number + one.get("offset", 0)))
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
        for number in range(1, self.size + 1) if self.status not in ("", "registered", "defined") else ():
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
        return {**fields, "site": None, "splitRule": None, "attemptNr": None} if self.status == "registered" else fields

    def super_status(self) -> str:
        if self.status in (*FINAL, "running"):
            return self.status
        if self.status == "toincexec":
            return str(self.old)
        if self.status in ("prepared", "passed", "finishing", "aborting", "toabort"):
            return "running" if self.jobs else "registered"
        return "ready" if self.status == "ready" and self.attempt else "registered"


class Jedi:
    """Makes jobs of tasks. `advance` takes one step with a task, if there is one to take."""

    def __init__(self, sites: dict[str, Gpu | None]) -> None:
        self.sites = sites
        self.tasks: dict[int, Task] = {}
        self.jobs: dict[int, Job] = {}
        self.next_task, self.next_job = 1, 1
        self.end_as: tuple[str, str] | None = None  # what becomes of tasks instead of running

    # what clients ask for ---------------------------------------------------------------

    def submit(self, params: dict[str, Any], owner: str) -> dict[str, Any]:
        """Take a task, or say that one of its name is there."""
        for task in self.tasks.values():
            if params.get("uniqueTaskName") and task.name == params["taskName"] and task.status not in ("aborted", "broken"):
                return _no(*self._there(task))
        for one in params["jobParameters"]:
            one |= {"expandedList": ["seq_number"]} if one.get("param_type") == "pseudo_input" else {}
        task = Task(self.next_task, {**params, **_added()}, owner)
        self.tasks[task.ident] = task
        self.next_task += 1
        return _yes(task.ident, f"succeeded. new jediTaskID={task.ident}")

    @staticmethod
    def _there(task: Task) -> tuple[str, int]:
        head = f"jediTaskID={task.ident} is"
        if task.status in ("", "registered"):
            return f"{head} already queued for outDS={task.name}. You cannot submit duplicated tasks. ", 1
        return f"{head} in the {task.status} state for outDS={task.name}. {resubmission()}", 2

    def command(self, name: str, task: Task | None, **more: Any) -> dict[str, Any]:
        if task is None or task.status in ("", "registered"):
            return {"success": False, "message": "not the task owner or no production role", "data": None}
        if name == "retry":
            return self._retry(task, more.get("new"))
        if task.status in (*FINAL, "aborting", "toabort"):
            words = f"Command rejected: the {name} command is not accepted if the task is in {task.status} status "
            return {"success": False, "message": words, "data": 4}
        task.command = "kill" if name == "kill" else "finish soft" if more.get("soft") else "finish"
        return _yes(0, f"command={name} is registered for task ID {task.ident}. will be executed in a few minutes")

    def _retry(self, task: Task, new: Any) -> dict[str, Any]:
        if task.status == "running":
            return _yes(0, "retry has been triggered for failed jobs while the task is still running")
        if task.status not in ("finished", "failed", "exhausted"):
            words = f"Command rejected: the retry command is not accepted if the task is in {task.status} status "
            return _yes(4, words)
        state = task.status
        task.command = "increment" if new else "retry"
        if new:
            task.params.update(new)
            words = f"reactivation accepted. jediTaskID={task.ident} (currently in {state} state)"
            return _yes(3, f"{words} will be re-executed with old and/or new input")
        return _yes(0, f"command=retry is registered for task ID {task.ident}. will be executed in a few minutes")

    def kill_job(self, ident: int) -> bool:
        job = self.jobs.get(ident)
        if job is None:
            return False
        if job.status in ("activated", "starting", "defined"):
            self.stop_job(job)
        elif job.status == "running":
            job.to_be_killed = True
        return True

    @staticmethod
    def stop_job(job: Job) -> None:
        words = "killed by Lab User"
        job.set("cancelled", taskBufferErrorCode=100, taskBufferErrorDiag=words, endTime=stamp(time.time()))

    # what JEDI does ---------------------------------------------------------------------

    def advance(self, task: Task) -> bool:
        """Take one step; whether there was one."""
        for job in task.jobs:
            if job.status == "holding":
                job.set(job.outcome)
                return True
        return self._obey(task) or self._go_on(task) or self._make_jobs(task) or self._end(task)

    def _obey(self, task: Task) -> bool:
        if task.status in ("registered", "defined", "ready"):
            return False  # it gets round to that when jobs are made
        command, task.command = task.command, None
        if command == "kill":
            running = [job for job in task.alive() if job.status == "running"]
            self._move(task, "aborting" if running else "toabort", "kill by Lab User")
        elif command in ("finish", "finish soft"):
            self._move(task, "finishing", f"{'soft ' if command.endswith('soft') else ''}finish by Lab User")
        elif command in ("retry", "increment"):
            task.attempt += command == "retry"
            task.given_up.clear()
            task.ended = None
            self._move(task, "ready" if command == "retry" else "toincexec", None)
        if command in ("kill", "finish", "finish soft"):
            for job in task.alive():
                if job.status != "running":
                    self.stop_job(job)
                job.to_be_killed = job.status == "running" and command != "finish soft"
        return command is not None

    def _go_on(self, task: Task) -> bool:
        """The steps of a task by itself."""
        if task.status in ("", "registered", "toincexec", "pending"):
            following = {"": "registered", "registered": "defined", "toincexec": "defined"}
            self._move(task, following.get(task.status, "ready"), task.dialog)
            return True
        if task.status == "defined":
            self._move(task, "ready", None)
            return True
        if task.status == "ready":
            self._broker(task)
            return True
        return False

    def _broker(self, task: Task) -> None:
        if self.end_as is not None:
            self._move(task, *self.end_as)
            return
        wanted = [task.params["site"]] if task.params.get("site") else task.params.get("includedSite") or list(self.sites)
        known = [site for site in wanted if site in self.sites and site not in (task.params.get("excludedSite") or [])]
        if not known:
            link = f'<a href="http://127.0.0.1:25080/cache/jedilog/{task.ident}">log</a>'
            words = f"unknown site={wanted[0]}. brokerage failed for 1 input datasets when trying 1 datasets."
            self._move(task, "pending", f"{link} : {words}")
            return
        self._move(task, "running", None)
        task.site = known[0]
        self._make_jobs(task)

    def _make_jobs(self, task: Task) -> bool:
        """Make the jobs that are due: of every number the first, of those that failed another."""
        made = False
        for number in range(1, task.size + 1) if task.status == "running" else ():
            last = task.last(number)
            if task.done(number) or number in task.given_up or (last is not None and last.status not in ENDED):
                continue
            tries = last.attempt if last is not None else 0
            if last is not None and last.status != "closed" and tries >= task.max_attempt + task.attempt:
                task.given_up.add(number)
            else:
                self._make_job(task, number, tries + 1)
            made = True
        return made

    def _make_job(self, task: Task, number: int, attempt: int) -> None:
        job = Job(self.next_job, task, number, attempt, len(task.jobs) + 1, task.site)
        self.next_job += 1
        task.jobs.append(job)
        self.jobs[job.ident] = job

    def _end(self, task: Task) -> bool:
        """The last steps, when no job is left."""
        if task.status in FINAL or task.status not in ("running", "aborting", "toabort", "finishing", "passed", "prepared"):
            return False
        if task.alive():
            return False
        if task.status in ("aborting", "toabort"):
            self._move(task, "toabort" if task.status == "aborting" else "aborted", task.dialog)
        elif task.status in ("running", "finishing"):
            task.given_up |= {number for number in range(1, task.size + 1) if not task.done(number)}
            self._move(task, "prepared" if task.status == "running" else "passed", task.dialog)
        else:
            done = sum(task.done(number) for number in range(1, task.size + 1))
            failed = f"{task.dialog + ' ' if task.dialog else ''}failed since no file was successfully processed"
            state = "done" if done == task.size else "finished" if done else "failed"
            self._move(task, state, failed if state == "failed" else task.dialog)
        return True

    @staticmethod
    def _move(task: Task, status: str, dialog: str | None) -> None:
        task.old = task.status if status in ("aborting", "finishing", "toincexec") else None
        task.status, task.dialog = status, dialog
        if status in FINAL:
            task.ended = time.time()

    # what workers ask for ---------------------------------------------------------------

    def fits(self, job: Job) -> bool:
        """Whether a worker of the site would be given the job: its GPU is compared when it asks, and nowhere else."""
        gpu, wanted = self.sites[job.site], _gpu(job.task.params.get("architecture") or "")
        if wanted is None:
            return True
        if gpu is None or wanted.get("vendor") != gpu.vendor or ("cuda" in wanted and gpu.cuda is None):
            return False
        model = re.match(wanted.get("model", ""), gpu.model, re.IGNORECASE) if wanted.get("model") != "*" else True
        return bool(model) and gpu.vram >= int(wanted.get("vram", "0").lstrip(">="))


def _gpu(text: str) -> dict[str, str] | None:
    """What an architecture string wants of a GPU: `#&nvidia:vram>=40960:model=.*A100.*`; None where it wants none."""
    found = re.search(r"&([A-Za-z]+)(?:-([^:]+))?(.*)", text)
    if found is None:
        return None
    parts = dict(re.findall(r":(\w+)(>?=.*?)(?=:|$)", found[3]))
    model = parts.pop("model", "")[1:] or found[2] or ""
    return {"vendor": found[1], **({"model": model} if model else {}), **parts}


def _added() -> dict[str, Any]:
    """What a server adds to the map of a task."""
    names = ("userName", "taskType", "taskPriority", "transPath", "pushStatusChanges", "messageDriven", "cloudAsVO")
    return {name: task_fields()["raw_task_params"][name] for name in names}


def _yes(data: Any, message: str = "") -> dict[str, Any]:
    return {"success": True, "message": message, "data": data}


def _no(message: str, data: Any) -> dict[str, Any]:
    return {"success": False, "message": message, "data": data}
