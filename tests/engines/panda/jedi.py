"""The steps that the stand-in's JEDI takes with tasks and jobs, one at a time."""

from __future__ import annotations

import time
from typing import Any

from tests.engines.panda.answers import done, refused
from tests.engines.panda.gpus import Gpu, wanted_gpu
from tests.engines.panda.recorded import resubmission, task_fields
from tests.engines.panda.tasks import ENDED, FINAL, Job, Task, stamp

# What JEDI does with a task of each state by itself, before the task has jobs.
FOLLOWING = {
    "": "registered",
    "registered": "defined",
    "toincexec": "defined",
    "pending": "ready",
    "defined": "ready",
}
# States in which a task waits for its last job, or has it behind itself.
ENDING = ("running", "aborting", "toabort", "finishing", "passed", "prepared")
# States of tasks that begin anew where a second task of their name is sent.
REACTIVATED = ("finished", "failed", "aborted", "done", "exhausted")
# The states of jobs that come before `activated`, each with the next one.
EARLY = {"defined": "pending", "pending": "activated"}
BEFORE_PILOT = (*EARLY, "activated", "starting")
# What a server adds to the map of a task.
ADDED = (
    "userName",
    "taskType",
    "taskPriority",
    "transPath",
    "pushStatusChanges",
    "messageDriven",
    "cloudAsVO",
)
LATER = "will be executed in a few minutes"


class Jedi:
    """Makes jobs of tasks. `advance` takes one step with a task, if there is one to take."""

    def __init__(self, sites: dict[str, Gpu | None]) -> None:
        """Send jobs to `sites`: their names, each with the GPU of its workers."""
        self.sites = sites
        self.tasks: dict[int, Task] = {}
        self.jobs: dict[int, Job] = {}
        self.next_task, self.next_job = 1, 1
        self.end_as: tuple[str, str] | None = None  # what becomes of tasks instead of running
        # Seconds that tasks stay in some states, at least. On a real server these are minutes.
        self.linger_s: dict[str, float] = {}
        # Whether the end of a task overlooks its jobs, as it does in the second in which they are
        # made.
        self.overlooks = False

    # what clients ask for ---------------------------------------------------------------

    def submit(self, params: dict[str, Any], owner: str) -> dict[str, Any]:
        """Take a task, or treat one of its name as the server does."""
        if params.get("uniqueTaskName"):
            for task in self.tasks.values():
                if task.name == params["taskName"]:
                    return self._submit_again(task, params)
        for parameter in params["jobParameters"]:
            if parameter.get("param_type") == "pseudo_input":
                parameter["expandedList"] = ["seq_number"]
        task = Task(self.next_task, {**params, **_added()}, owner)
        self.tasks[task.ident] = task
        self.next_task += 1
        return done(task.ident, f"succeeded. new jediTaskID={task.ident}")

    def _submit_again(self, task: Task, params: dict[str, Any]) -> dict[str, Any]:
        """Take a second task of one name: a task that has ended begins anew."""
        head = f"jediTaskID={task.ident} is"
        if task.young:
            words = f"already queued for outDS={task.name}. You cannot submit duplicated tasks. "
            return refused(f"{head} {words}", 1)
        if task.status not in REACTIVATED:
            words = f"in the {task.status} state for outDS={task.name}. {resubmission()}"
            return refused(f"{head} {words}", 2)
        return done(task.ident, self._reactivated(task, {"cliParams": params.get("cliParams")}))

    @staticmethod
    def _reactivated(task: Task, new: dict[str, Any]) -> str:
        """Let a task that has ended run again with new parameters; return the server's words."""
        task.command = "increment"
        task.reactivations += 1
        task.params.update(new)
        return (
            f"reactivation accepted. jediTaskID={task.ident} (currently in {task.status} state)"
            " will be re-executed with old and/or new input"
        )

    def command(self, name: str, task: Task | None, **more: Any) -> dict[str, Any]:
        """Take a command for a task: kill, finish (`soft`: running jobs go on) or retry."""
        if task is None or task.young:
            return refused("not the task owner or no production role")
        if name == "retry":
            return self._retry(task, more.get("new"))
        if task.status in (*FINAL, "aborting", "toabort"):
            return refused(_rejected(name, task), 4)
        task.command = "finish soft" if name == "finish" and more.get("soft") else name
        return done(0, f"command={name} is registered for task ID {task.ident}. {LATER}")

    def _retry(self, task: Task, new: Any) -> dict[str, Any]:
        """Take the command to run a task again; `new` are parameters that differ now."""
        if task.status == "running":
            words = "retry has been triggered for failed jobs while the task is still running"
            return done(0, words)
        if task.status not in ("finished", "failed", "exhausted"):
            return done(4, _rejected("retry", task))
        if not new:
            task.command = "retry"
            return done(0, f"command=retry is registered for task ID {task.ident}. {LATER}")
        return done(3, self._reactivated(task, new))

    def kill_job(self, ident: int) -> bool:
        """End a job, or have its pilot end it. Returns whether there is such a job that lives."""
        job = self.jobs.get(ident)
        # The server looks among the jobs that have not ended alone.
        if job is None or job.status in ENDED:
            return False
        if job.status in BEFORE_PILOT:
            self.stop_job(job, "Lab User/CN=nickname:labuser")
        elif job.status == "running":
            job.to_be_killed = True
        return True

    @staticmethod
    def stop_job(job: Job, who: str) -> None:
        """End a job that no pilot runs. For JEDI, the task's dialog is who did it."""
        ended = stamp(time.time())
        words = f"killed by {who}"
        job.set("cancelled", taskBufferErrorCode=100, taskBufferErrorDiag=words, endTime=ended)

    # what JEDI does ---------------------------------------------------------------------

    def advance(self, task: Task) -> bool:
        """Take one step with a task, and return whether there was one to take."""
        for job in task.jobs:
            if job.status == "holding":
                job.set(job.outcome)
                return True
        if self._go_on_with_jobs(task):
            return True
        if time.time() - task.moved < self.linger_s.get(task.status, 0.0):
            return False
        return self._obey(task) or self._go_on(task) or self._make_jobs(task) or self._end(task)

    @staticmethod
    def _go_on_with_jobs(task: Task) -> bool:
        """Move jobs towards the pilots; return whether there were any to move."""
        early = [job for job in task.jobs if job.status in EARLY]
        for job in early:
            job.set(EARLY[job.status])
        return bool(early)

    def _obey(self, task: Task) -> bool:
        """Do what a user commanded."""
        # JEDI gets round to a command only once it has made the jobs of a task.
        if task.status in ("registered", "defined", "ready"):
            return False
        command, task.command = task.command, None
        if command is None:
            return False
        if command in ("retry", "increment"):
            self._begin_again(task, command)
        else:
            self._stop(task, command)
        return True

    def _begin_again(self, task: Task, command: str) -> None:
        task.given_up.clear()
        task.ended = None
        if command == "retry":
            task.attempt += 1
            self._move(task, "ready", None)
        else:
            self._move(task, "toincexec", None)

    def _stop(self, task: Task, command: str) -> None:
        """End the jobs of a task by `kill`, `finish` or `finish soft`."""
        running = [job for job in task.alive() if job.status == "running"]
        if command == "kill":
            self._move(task, "aborting" if running else "toabort", "kill by Lab User")
            if self.overlooks:
                return
        else:
            soft = "soft " if command == "finish soft" else ""
            self._move(task, "finishing", f"{soft}finish by Lab User")
        for job in task.alive():
            if job.status == "running":
                job.to_be_killed = command != "finish soft"
            else:
                self.stop_job(job, str(task.dialog))
                job.to_be_killed = False

    def _go_on(self, task: Task) -> bool:
        """Take a step of those before a task has jobs."""
        if task.status == "ready":
            self._broker(task)
            return True
        if task.status not in FOLLOWING:
            return False
        dialog = None if task.status == "defined" else task.dialog
        self._move(task, FOLLOWING[task.status], dialog)
        return True

    def _broker(self, task: Task) -> None:
        """Choose a site for the jobs of a task."""
        if self.end_as is not None:
            self._move(task, *self.end_as)
            return
        if task.params.get("site"):
            wanted = [task.params["site"]]
        else:
            wanted = task.params.get("includedSite") or list(self.sites)
        excluded = task.params.get("excludedSite") or []
        known = [site for site in wanted if site in self.sites and site not in excluded]
        if not known:
            link = f'<a href="http://127.0.0.1:25080/cache/jedilog/{task.ident}">log</a>'
            words = (
                f"unknown site={wanted[0]}."
                " brokerage failed for 1 input datasets when trying 1 datasets."
            )
            self._move(task, "pending", f"{link} : {words}")
            return
        self._move(task, "running", None)
        task.site = known[0]
        self._make_jobs(task)

    def _make_jobs(self, task: Task) -> bool:
        """Make the jobs that are due: of every number the first, of those that failed another.

        Returns whether there was anything to do.
        """
        if task.status != "running":
            return False
        made = False
        for number in task.numbers():
            last = task.last(number)
            in_work = last is not None and last.status not in ENDED
            if in_work or task.done(number) or number in task.given_up:
                continue
            made = True
            if last is None:
                self._make_job(task, number, 1)
            # An attempt that was closed is no fault of the job, so it does not count.
            elif last.status != "closed" and last.attempt >= task.max_attempt + task.attempt:
                task.given_up.add(number)
            else:
                self._make_job(task, number, last.attempt + 1)
        return made

    def _make_job(self, task: Task, number: int, attempt: int) -> None:
        job = Job(self.next_job, task, number, attempt, len(task.jobs) + 1, task.site)
        self.next_job += 1
        task.jobs.append(job)
        self.jobs[job.ident] = job

    def _end(self, task: Task) -> bool:
        """Take one of the last steps, if no job is left."""
        if task.status not in ENDING or task.alive():
            return False
        if task.status == "aborting":
            self._move(task, "toabort", task.dialog)
        elif task.status == "toabort":
            self._move(task, "aborted", task.dialog)
        elif task.status in ("running", "finishing"):
            task.given_up |= {number for number in task.numbers() if not task.done(number)}
            self._move(task, "prepared" if task.status == "running" else "passed", task.dialog)
        else:
            self._conclude(task)
        return True

    def _conclude(self, task: Task) -> None:
        """Give a task its final state, by how many of its numbers are done."""
        count = task.done_count()
        if count == task.size:
            self._move(task, "done", task.dialog)
        elif count:
            self._move(task, "finished", task.dialog)
        else:
            before = f"{task.dialog} " if task.dialog else ""
            words = "failed since no file was successfully processed"
            self._move(task, "failed", before + words)

    @staticmethod
    def _move(task: Task, status: str, dialog: str | None) -> None:
        """Move a task to a state."""
        # Of other steps the server does not say where they came from.
        task.old = task.status if status in ("aborting", "finishing", "toincexec") else None
        task.status, task.dialog, task.moved = status, dialog, time.time()
        if status in FINAL:
            task.ended = time.time()

    # what workers ask for ---------------------------------------------------------------

    def fits(self, job: Job) -> bool:
        """Return whether a worker of the site would be given the job.

        The GPU is compared when a worker asks, and nowhere else.
        """
        gpu, wanted = self.sites[job.site], wanted_gpu(job.task.params.get("architecture") or "")
        return wanted is None or (gpu is not None and gpu.fits(wanted))


def _added() -> dict[str, Any]:
    return {name: task_fields()["raw_task_params"][name] for name in ADDED}


def _rejected(name: str, task: Task) -> str:
    return (
        f"Command rejected: the {name} command is not accepted"
        f" if the task is in {task.status} status "
    )
