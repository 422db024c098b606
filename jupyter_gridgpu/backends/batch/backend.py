"""What batch systems have in common: jobs go out in batches, results come back as files, the engine is asked seldom.

Two witnesses are heard for every job: its files, which say at once that it runs and how it ended, and the engine, which
says why it waits and what became of it where it left no result. A result is believed before the engine is.
"""

from __future__ import annotations

import contextlib
import getpass
import math
import os
import re
import socket
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jupyter_gridgpu.backends.base import (
    THREAD_VARIABLES,
    Capabilities,
    Job,
    about_of,
    gpu_of,
    moment,
    notebook_of,
    read_result,
    shared_gpu_environment,
    write_spec,
)
from jupyter_gridgpu.backends.batch.batches import Batch, BatchStore
from jupyter_gridgpu.backends.batch.endings import Endings
from jupyter_gridgpu.backends.batch.inquiry import (
    Inquiry,
    StatusAnswer,
    TaskStatus,
    poll_interval_s,
)
from jupyter_gridgpu.errors import BackendError, Full, Unreachable
from jupyter_gridgpu.model.job import Observation, bounded
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.model.units import duration
from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.paths import CopyPaths, ScanPaths, publish
from jupyter_gridgpu.store.tail import tail_text

LOST_POLLS = 20  # that an engine which answers does not know a job without a result, until it is given up: 5 min
PAST_LIMIT = 1000  # tasks that an archive is asked for at once
LOOKS = 100  # jobs whose files are looked at in one poll, beside those that are known to run


@dataclass
class _Watched:
    """What is remembered of a job between two polls."""

    ended: float | None = None  # when the engine was first heard to say that it ended
    missing: float | None = (
        None  # when it was first found that the engine's last answer does not know it
    )
    running: bool = False
    changed_ns: int = -1  # when its folder was last seen to change


class BatchBackend(ABC):
    """A Backend on top of a few verbs of an engine: `check`, `send`, `sent`, `ask`, `end`."""

    poll_s = 0.25  # of files; the engine is asked at the pace of Inquiry
    engine: str  # its name for people
    batch_limit = 1000  # tasks in one call
    capabilities = Capabilities()

    def __init__(self, scan: ScanSpec, paths: ScanPaths) -> None:
        self._scan = scan
        self._paths = paths
        self._task_size = scan.per_job * scan.per_gpu  # jobs
        self._batches = BatchStore(paths)
        self._inquiry = Inquiry(self.engine, self.ask, self.ask_past, self._answer_file())
        self._watched: dict[str, _Watched] = {}
        self._turn: deque[str] = deque()
        self.full: Full | None = (
            None  # what the engine said if it took no more jobs when it was last given some
        )
        self.going = 0  # jobs that were handed over and have not ended, as of the last poll
        self._endings = Endings(self._alone, lambda tasks, hard: self.end(tasks, hard))
        self.grace_s = min(
            10.0, 4 * poll_interval_s()
        )  # until a result that a node wrote is seen here

    # what an engine does ------------------------------------------------------------

    @abstractmethod
    def check(self, ask: bool = True) -> None:
        """Raise EngineError if the engine is not there or refuses such jobs, in its own words; without `ask`, cheaply."""

    @abstractmethod
    def send(self, batch: Batch) -> str:
        """Hand a batch over and return its id.

        Raises EngineError if it is refused, Full if it is so only for now, Unreachable if that is not known.
        """

    @abstractmethod
    def sent(self, batches: Sequence[Batch]) -> dict[str, str]:
        """Return the ids of those batches that the engine has, by name. Raises Unreachable."""

    @abstractmethod
    def task_id(self, batch_id: str, index: int) -> str:
        """Return what the engine calls a task (from 1) of a batch."""

    @abstractmethod
    def ask(self) -> Mapping[str, TaskStatus]:
        """Return what the engine says of all tasks of this user, by task id. Raises Unreachable. Runs in a thread."""

    def ask_past(self, tasks: Sequence[str]) -> Mapping[str, TaskStatus]:
        """Return what is known of tasks that `ask` does not tell of, from an archive if there is one. Runs in a thread."""
        return {}

    @abstractmethod
    def end(self, tasks: Sequence[str], hard: bool) -> None:
        """Tell the engine to end tasks: so that the workers can save, or `hard`. Raises Unreachable."""

    def check_files(self, files: Mapping[str, Path]) -> None:
        """Raise EngineError if the helper files (by their name beside the notebook) are more than travels with a job."""

    def bring(self, batch: Batch, index: int) -> None:
        """Bring the files of a task that ended into the jobs' folders, where they do not come by themselves."""

    def cluster(self) -> str:
        """Return a name for the cluster that is asked, so that answers of two are kept apart."""
        return "default"

    def environment(self) -> dict[str, str]:
        """Return what the environment of every job has beside the node's."""
        cores = self._scan.resources.cpus
        threads = dict.fromkeys(THREAD_VARIABLES, str(cores)) if cores else {}
        return {**threads, **shared_gpu_environment(self._scan)}

    # the protocol -------------------------------------------------------------------

    def open(self) -> None:
        """Nothing is held open."""

    def close(self) -> None:
        """Nothing is held open."""

    def slots(self) -> int | None:
        return None

    def notice(self) -> str | None:
        return self._inquiry.notice()

    def submit(self, jobs: Sequence[Job]) -> dict[str, str | Exception]:
        """Hand jobs over in as few calls as can be; what the engine has already is not sent again."""
        answers: dict[str, str | Exception] = {}
        try:
            answers.update(self.find([job.key for job in jobs]))
        except Unreachable as error:
            return {job.key: error for job in jobs}
        left = [job for job in jobs if job.key not in answers]
        size = self._task_size
        answers.update(self._send_all([left[i : i + size] for i in range(0, len(left), size)]))
        self._inquiry.hurry()
        return answers

    def tasks_of(self, jobs: int) -> int:
        """How many tasks so many jobs make."""
        return math.ceil(jobs / self._task_size)

    def room(self, sent: int) -> int:
        """How many tasks may be handed over now, beside those just `sent`."""
        return self.batch_limit

    def _send_all(self, tasks: list[list[Job]]) -> dict[str, str | Exception]:
        """Send tasks in batches as large as the engine takes them. One that was full gets one task to begin with."""
        answers: dict[str, str | Exception] = {}
        size, growth, sent = (1 if self.full else self.batch_limit), 2, 0
        while tasks:
            part = tasks[: max(min(size, self.room(sent)), 0)]
            said = self._send(part)
            refused = next((answer for answer in said.values() if isinstance(answer, Full)), None)
            self.full = refused or self.full
            if refused is not None and len(part) > 1:
                size, growth = len(part) // 2, 1
            elif self.full is not None and (refused is not None or not part):
                return {**answers, **{job.key: self.full for task in tasks for job in task}}
            else:
                answers.update(said)
                tasks, sent, size = tasks[len(part) :], sent + len(part), growth * size
        self.full = None
        return answers

    def _send(self, tasks: list[list[Job]]) -> dict[str, str | Exception]:
        answers: dict[str, str | Exception] = {}
        ready = [[job.key for job in task if self._write(job, answers)] for task in tasks]
        if made := [keys for keys in ready if keys]:
            answers.update(self._send_written(made))
        return answers

    def _write(self, job: Job, answers: dict[str, str | Exception]) -> bool:
        try:
            write_spec(Job(job.key, job.paths, {**job.spec, "requeues": True}), self.environment())
        except OSError as error:
            answers[job.key] = error
            return False
        return True

    def _send_written(self, tasks: list[list[str]]) -> dict[str, str | Exception]:
        keys = [key for task in tasks for key in task]
        try:
            batch = self._batches.make(tasks)
            ident = self.send(batch)
        except Full as error:
            with contextlib.suppress(OSError):  # else it is asked for by its name, and not there
                self._batches.drop(batch)
            return dict.fromkeys(keys, error)
        except Unreachable as error:
            return dict.fromkeys(keys, error)
        except BackendError as error:
            self._batches.took(batch, None)
            return dict.fromkeys(keys, error)
        except OSError as error:
            return dict.fromkeys(keys, error)
        with contextlib.suppress(OSError):  # the engine knows the batch by its name
            self._batches.took(batch, ident)
        return {key: self.task_id(ident, i) for i, task in enumerate(tasks, 1) for key in task}

    def find(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the ids of jobs that the engine took. Raises Unreachable if that cannot be told now."""
        if unsure := self._batches.unsure(keys):
            known = self.sent(unsure)
            for batch in unsure:
                self._batches.took(batch, known.get(batch.name))
        return {key: ident for key in keys if (ident := self._task_of(key)) is not None}

    def _task_of(self, key: str) -> str | None:
        place = self._batches.place(key)
        ident = self._batches.ident(place[0]) if place else None
        return self.task_id(ident, place[1]) if place and ident is not None else None

    # looking ------------------------------------------------------------------------

    def poll(self, ids: dict[str, str]) -> dict[str, Observation]:
        self.going = len(ids)
        before = self._inquiry.answer
        missing = [
            ids[key] for key, watched in self._watched.items() if watched.missing and key in ids
        ]
        self._inquiry.look(missing[:PAST_LIMIT])
        if self._endings.carry_out():
            self._inquiry.hurry()
        chosen = self._chosen(ids, before)
        return {key: seen for key in chosen if (seen := self._look(key, ids[key])) is not None}

    def _chosen(self, ids: dict[str, str], before: StatusAnswer | None) -> list[str]:
        """The jobs to look at now: those that run or end or of which the engine has news; of the others some, in turn."""
        live = [
            key
            for key in ids
            if key in self._endings.told
            or ((w := self._watched.get(key)) and (w.running or w.ended))
        ]
        answer = self._inquiry.answer
        news = (
            [key for key in ids if _said(answer, ids[key]) != _said(before, ids[key])]
            if answer is not before
            else []
        )
        if not self._turn:
            self._turn = deque(ids)
        turn = [self._turn.popleft() for _ in range(min(LOOKS, len(self._turn)))]
        return list(dict.fromkeys([*live, *news, *(key for key in turn if key in ids)]))

    def _look(self, key: str, task: str) -> Observation | None:
        watched = self._watched.setdefault(key, _Watched())
        answer = self._inquiry.answer
        seen = _said(answer, task)
        over = seen is not None and seen.ended_there
        touched = self._touched(key, watched) or over
        if touched and (result := self._result(key, seen)):
            return result
        copy = self._copy(key) if touched else None
        if seen is not None and over:
            return self._over(key, seen, copy, watched)
        watched.ended = None
        if copy is not None and (
            seen is None or seen.state == "running" or (answer and copy.made() > answer.time)
        ):
            watched.running = True
            forgotten = (
                seen is None and answer is not None and answer.time > copy.made()
            )  # ended, and out of the queue?
            lost = self._unknown(key, watched) if forgotten else None
            watched.missing = watched.missing if forgotten else None
            return lost or self._running(key, seen, copy)
        if seen is not None:
            watched.missing = None
            return self._waiting(key, seen, watched)
        return self._unknown(key, watched) if answer is not None else None

    def _touched(self, key: str, watched: _Watched) -> bool:
        """Whether files may have come into the job's folder since the last look: one stat for a job that waits."""
        try:
            changed_ns = os.stat(self._paths.job(key).folder).st_mtime_ns
        except OSError:
            return True
        news = changed_ns != watched.changed_ns or watched.running or watched.ended is not None
        watched.changed_ns = changed_ns
        return news

    def _result(self, key: str, seen: TaskStatus | None) -> Observation | None:
        result = read_result(self._paths, key)
        if result is None:
            return None
        if result.state == "failed" and seen is not None and seen.reason == "oom":
            result = replace(
                result, reason="oom", message=seen.message
            )  # the kernel just died, for all the worker knows
        return self._ended(key, self._placed(result, seen, self._copy(key)))

    def _running(self, key: str, seen: TaskStatus | None, copy: CopyPaths) -> Observation:
        about = about_of(copy)
        started = moment(about.get("started")) or copy.made()
        notebook = notebook_of(self._paths, key, copy.folder.name)
        return self._placed(Observation("running", started=started, notebook=notebook), seen, copy)

    def _waiting(self, key: str, seen: TaskStatus, watched: _Watched) -> Observation:
        """A job that the engine has, and of which there are no files."""
        mates = self._mates(key)
        if seen.state == "running" and len(mates) > 1 and self.capabilities.shows_files:
            return Observation(
                "queued",
                message=f"Waits for its turn in the job that runs {mates[0].split('.')[0]}.",
            )
        watched.running = seen.state == "running"
        waits = Observation(seen.state, message=seen.message, started=seen.started)
        return replace(waits, where=seen.where, node=seen.node, link=seen.link)

    def _over(
        self, key: str, seen: TaskStatus, copy: CopyPaths | None, watched: _Watched
    ) -> Observation | None:
        """A job that the engine says has ended, without a result so far: the file system may be slow to show it."""
        if watched.ended is None:
            watched.ended = time.monotonic()
            if place := self._batches.place(key):
                self.bring(*place)
        if (
            copy is not None
            and copy.result.is_file()
            and publish(copy.result, self._paths.job(key).result)
        ):
            return self._result(key, seen)
        if time.monotonic() - watched.ended < self.grace_s:
            return None
        state = "cancelled" if seen.state == "cancelled" else "failed"
        message = seen.message or f"{self.engine} says that the job ended; it left no result."
        launch = self._launch_words(key) if copy is None else None
        notebook = notebook_of(self._paths, key, copy.folder.name) if copy else None
        reason = seen.reason or ("node" if state == "failed" else None)
        what = Observation(
            state, reason, f"{message} {launch}" if launch else message, notebook=notebook
        )
        return self._ended(
            key,
            self._placed(
                replace(what, started=seen.started, ended=seen.ended or time.time()), seen, copy
            ),
        )

    def _unknown(self, key: str, watched: _Watched) -> Observation | None:
        """A job that the engine does not know: not yet, no longer, or never."""
        answer, now = self._inquiry.answer, time.time()
        watched.missing = watched.missing or now
        forgotten = answer is not None and answer.since(self._paths.job(key).stop)
        if (
            forgotten and now - watched.missing > self.grace_s
        ):  # an engine may forget what never started
            return self._ended(
                key,
                Observation("cancelled", "user", "Cancelled before it started.", ended=time.time()),
            )
        unknown_s = (
            answer.time - watched.missing if answer else 0.0
        )  # a silence says nothing: only what was asked since counts
        if unknown_s < LOST_POLLS * poll_interval_s():
            return None
        text = f"Lost: {self.engine} no longer knows this job and no result came in {duration(unknown_s)}."
        return self._ended(key, Observation("lost", message=text, ended=time.time()))

    def _placed(
        self, what: Observation, seen: TaskStatus | None, copy: CopyPaths | None
    ) -> Observation:
        about = about_of(copy) if copy else {}
        where, node, link = (seen.where, seen.node, seen.link) if seen else (None, None, None)
        place = where or self._scan.placement.queue
        return replace(
            what,
            where=place,
            node=node or bounded(about.get("host"), 80),
            gpu=gpu_of(about),
            link=link,
        )

    def _ended(self, key: str, what: Observation) -> Observation:
        self._watched.pop(key, None)
        self._endings.over(key)
        seconds = max((what.ended or 0.0) - (what.started or 0.0), 0.0) if what.started else 0.0
        return replace(what, gpu_s=seconds * self._scan.resources.gpus / self._scan.per_gpu)

    def _copy(self, key: str) -> CopyPaths | None:
        copies = self._paths.job(key).copies()
        return copies[-1] if copies else None

    def _mates(self, key: str) -> tuple[str, ...]:
        """All jobs of a job's task."""
        place = self._batches.place(key)
        return place[0].tasks[place[1] - 1] if place else (key,)

    def _alone(self, key: str) -> bool:
        """Whether the task of a job has no other job that is to go on."""
        others = [mate for mate in self._mates(key) if mate not in self._endings.told]
        return all(self._paths.job(mate).result.exists() for mate in others)

    def _launch_words(self, key: str) -> str | None:
        """The last line that the launcher left, or the container runtime, which says it to the first job of a task alone."""
        for job in (self._mates(key)[0], key):
            with contextlib.suppress(OSError):
                if lines := tail_text(self._paths.job(job).log, 4096).strip().splitlines():
                    return bounded(lines[-1])
        return None

    # ending -------------------------------------------------------------------------

    def cancel(self, ids: dict[str, str]) -> None:
        """Ask jobs to end, each once: by a file that its worker sees, and the engine where all jobs of a task shall end."""
        new = {key: task for key, task in ids.items() if key not in self._endings.told}
        for key in new:
            with contextlib.suppress(OSError):
                self._paths.job(key).stop.touch(mode=0o600)
        self._endings.ask(new)

    def collect(self, key: str, ident: str) -> None:
        """Files were brought when the engine said that the task had ended."""

    def _answer_file(self) -> Path:
        """Of this machine: another one that has the same home may submit to another cluster, which numbers its jobs alike."""
        names = (self.engine, self.cluster(), getpass.getuser(), socket.gethostname())
        cluster = re.sub(r"[^A-Za-z0-9._-]", "-", "-".join(names))[:200]
        return home.home() / ".engines" / f"{cluster}.json"


def _said(answer: StatusAnswer | None, task: str) -> TaskStatus | None:
    return answer.tasks.get(task) if answer else None
