"""The steps that the stand-in's JEDI takes with tasks and jobs, one at a time."""

from __future__ import annotations

import re
import time
from typing import Any

from tests.engines.panda.recorded import resubmission, task_fields
from tests.engines.panda.tasks import ENDED, FINAL, Gpu, Job, Task, stamp


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
            if (
                params.get("uniqueTaskName")
                and task.name == params["taskName"]
                and task.status not in ("aborted", "broken")
            ):
                return _no(*self._there(task))
        for one in params["jobParameters"]:
            one |= (
                {"expandedList": ["seq_number"]} if one.get("param_type") == "pseudo_input" else {}
            )
        task = Task(self.next_task, {**params, **_added()}, owner)
        self.tasks[task.ident] = task
        self.next_task += 1
        return _yes(task.ident, f"succeeded. new jediTaskID={task.ident}")

    @staticmethod
    def _there(task: Task) -> tuple[str, int]:
        head = f"jediTaskID={task.ident} is"
        if task.status in ("", "registered"):
            return (
                f"{head} already queued for outDS={task.name}. You cannot submit duplicated tasks. ",
                1,
            )
        return f"{head} in the {task.status} state for outDS={task.name}. {resubmission()}", 2

    def command(self, name: str, task: Task | None, **more: Any) -> dict[str, Any]:
        if task is None or task.status in ("", "registered"):
            return {
                "success": False,
                "message": "not the task owner or no production role",
                "data": None,
            }
        if name == "retry":
            return self._retry(task, more.get("new"))
        if task.status in (*FINAL, "aborting", "toabort"):
            words = f"Command rejected: the {name} command is not accepted if the task is in {task.status} status "
            return {"success": False, "message": words, "data": 4}
        task.command = "kill" if name == "kill" else "finish soft" if more.get("soft") else "finish"
        return _yes(
            0,
            f"command={name} is registered for task ID {task.ident}. will be executed in a few minutes",
        )

    def _retry(self, task: Task, new: Any) -> dict[str, Any]:
        if task.status == "running":
            return _yes(
                0, "retry has been triggered for failed jobs while the task is still running"
            )
        if task.status not in ("finished", "failed", "exhausted"):
            words = f"Command rejected: the retry command is not accepted if the task is in {task.status} status "
            return _yes(4, words)
        state = task.status
        task.command = "increment" if new else "retry"
        if new:
            task.params.update(new)
            words = f"reactivation accepted. jediTaskID={task.ident} (currently in {state} state)"
            return _yes(3, f"{words} will be re-executed with old and/or new input")
        return _yes(
            0,
            f"command=retry is registered for task ID {task.ident}. will be executed in a few minutes",
        )

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
        job.set(
            "cancelled",
            taskBufferErrorCode=100,
            taskBufferErrorDiag=words,
            endTime=stamp(time.time()),
        )

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
            self._move(
                task,
                "finishing",
                f"{'soft ' if command.endswith('soft') else ''}finish by Lab User",
            )
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
        wanted = (
            [task.params["site"]]
            if task.params.get("site")
            else task.params.get("includedSite") or list(self.sites)
        )
        known = [
            site
            for site in wanted
            if site in self.sites and site not in (task.params.get("excludedSite") or [])
        ]
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
            if (
                task.done(number)
                or number in task.given_up
                or (last is not None and last.status not in ENDED)
            ):
                continue
            tries = last.attempt if last is not None else 0
            if (
                last is not None
                and last.status != "closed"
                and tries >= task.max_attempt + task.attempt
            ):
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
        if task.status in FINAL or task.status not in (
            "running",
            "aborting",
            "toabort",
            "finishing",
            "passed",
            "prepared",
        ):
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
        if (
            gpu is None
            or wanted.get("vendor") != gpu.vendor
            or ("cuda" in wanted and gpu.cuda is None)
        ):
            return False
        model = (
            re.match(wanted.get("model", ""), gpu.model, re.IGNORECASE)
            if wanted.get("model") != "*"
            else True
        )
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
    names = (
        "userName",
        "taskType",
        "taskPriority",
        "transPath",
        "pushStatusChanges",
        "messageDriven",
        "cloudAsVO",
    )
    return {name: task_fields()["raw_task_params"][name] for name in names}


def _yes(data: Any, message: str = "") -> dict[str, Any]:
    return {"success": True, "message": message, "data": data}


def _no(message: str, data: Any) -> dict[str, Any]:
    return {"success": False, "message": message, "data": data}
