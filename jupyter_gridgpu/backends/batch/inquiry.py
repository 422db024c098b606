"""Asks a batch system about all tasks of a user: seldom, without waiting, once for all scans.

The question is asked in a thread, since a batch system may take long to answer. The answer is kept
in a file which the runners of all scans of a home share. So a batch system gets one question for
each user and cluster, however many scans there are.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from jupyter_gridgpu.backends.polling import longest_pause_s, poll_interval_s, silence_limit_s
from jupyter_gridgpu.errors import GridGpuError, StorageError, Unreachable
from jupyter_gridgpu.model.fields import Fields
from jupyter_gridgpu.model.job import REASONS, one_line
from jupyter_gridgpu.model.units import duration_text
from jupyter_gridgpu.store.opener import LOCK, plain_handle
from jupyter_gridgpu.store.paths import read_json, write_json

SOON_S = 1.0  # from a change that the runner made to the next question
PAUSE_GROWTH = 1.5  # each pause is longer by this factor, while nothing changes
ANSWER_BYTES = 256_000_000
PAST_LIMIT = 1000  # how many tasks an archive is asked about at once


# The states of a task.
TASK_STATES = ("queued", "running", "done", "failed", "cancelled")


@dataclass(frozen=True)
class TaskStatus:
    """What a batch system says about a task.

    `state` is queued, running, done, failed or cancelled. 'done' means that the task ended by
    itself; only the results of its jobs say whether they went well. Times are in seconds since the
    epoch. Texts are bounded and are only shown to the user: no decision depends on them.
    """

    state: str
    reason: str | None = None
    message: str | None = None
    where: str | None = None  # the queue
    node: str | None = None
    started: float | None = None
    ended: float | None = None
    link: str | None = None  # the address of a page about the task
    # True if a policy ended the task for good: what its workers took for a preemption was none.
    given_up: bool | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the batch system has nothing more to do for the task."""
        return self.state not in ("queued", "running")


@dataclass(frozen=True)
class StatusAnswer:
    """What a batch system said about all tasks of the user, by task id.

    `time` is when the question was asked, in seconds since the epoch.
    """

    time: float
    tasks: Mapping[str, TaskStatus] = field(default_factory=dict)

    def asked_after(self, path: Path) -> bool:
        """Return whether a file exists that was written before the question was asked."""
        with contextlib.suppress(OSError):
            return path.stat().st_mtime < self.time
        return False


class Inquiry:
    """The questions of one runner to its batch system, and the last answer.

    The pace is faster after news and slower while nothing changes or nobody answers.
    """

    def __init__(
        self,
        title: str,
        query: Callable[[], Mapping[str, TaskStatus]],
        query_past: Callable[[Sequence[str]], Mapping[str, TaskStatus]],
        answer_file: Path,
    ) -> None:
        """`title` names the batch system for people; `answer_file` keeps the last answer.

        `query` returns the status of all tasks, `query_past` that of some tasks from an archive.
        Both run in a thread and raise Unreachable while the batch system does not answer.
        """
        self.answer: StatusAnswer | None = None
        self._title = title
        self._query = query
        self._query_past = query_past
        self._answer_file = answer_file
        self._pause_s = poll_interval_s()
        self._due = -math.inf  # when the next question is asked, on the monotonic clock
        self._asked_at = -math.inf  # when the last question was asked, on the same clock
        self._thread: threading.Thread | None = None
        self._outcome: StatusAnswer | Exception | None = None  # what the thread leaves behind
        self._trouble: Exception | None = None  # why the last question got no answer
        # When the last question that was answered was asked. Until there is an answer, it is the
        # time of the start. The clock of the day (seconds since the epoch) is for the user to read;
        # the monotonic clock tells how long the silence lasts, since the other may be set.
        self._last_heard = time.time()
        self._heard_awake = time.monotonic()

    def hurry(self) -> None:
        """Ask again soon, since the runner has changed something in the batch system.

        The poll interval is kept all the same: it protects the batch system.
        """
        self._pause_s = poll_interval_s()
        self._due = min(self._due, max(time.monotonic() + SOON_S, self._asked_at + self._pause_s))

    def refresh(self, missing: Sequence[str] = ()) -> None:
        """Take an answer that has come, and ask again when it is time. Never waits.

        `missing` are tasks that the last answers did not hold: an archive is asked about them, too.
        """
        if self._thread is not None and not self._thread.is_alive():
            self._thread = None
            self._take_outcome()
        if self._thread is None and time.monotonic() >= self._due:
            self._asked_at = time.monotonic()
            # A daemon thread, so that a batch system that never answers does not keep the runner
            # from ending.
            self._thread = threading.Thread(
                target=self._ask_in_thread, args=(list(missing),), daemon=True
            )
            self._thread.start()

    def notice(self) -> str | None:
        """Return one sentence for the user while the batch system is silent, else None."""
        silent_s = time.monotonic() - self._heard_awake
        if self._trouble is None or silent_s < silence_limit_s():
            return None
        length = f"{max(int(silent_s // 60), 1)} min"
        if silent_s >= 3600:
            length = duration_text(silent_s)
        shown = time.strftime("%H:%M", time.localtime(self._last_heard))
        return (
            f"{self._title} has not answered for {length}. Jobs go on; shown as of {shown}."
            f" ({str(self._trouble).rstrip('.')}.)"
        )

    def _take_outcome(self) -> None:
        """Keep the answer that the thread got, if any, and set the time of the next question."""
        outcome, self._outcome = self._outcome, None
        news = False
        if isinstance(outcome, StatusAnswer):
            news = self.answer is None or outcome.tasks != self.answer.tasks
            self.answer = outcome
            self._trouble = None
            self._last_heard, self._heard_awake = outcome.time, self._asked_at
        else:
            # The old answer stays valid, since a silent batch system tells nothing about jobs.
            self._trouble = outcome or Unreachable("it did not answer")
        if news:
            self._pause_s = poll_interval_s()
        else:
            self._pause_s = min(self._pause_s * PAUSE_GROWTH, longest_pause_s())
        # The pause is random, so that runners which were started together do not go on asking at
        # the same moments.
        self._due = time.monotonic() + self._pause_s * random.uniform(1.0, 1.1)

    def _ask_in_thread(self, missing: list[str]) -> None:
        """Ask the batch system and leave the answer, or the error, in `_outcome`."""
        try:
            answer = self._shared_answer()
            unknown = [task for task in missing if task not in answer.tasks]
            if unknown:
                past = self._query_past(unknown)
                if past:
                    answer = replace(answer, tasks={**answer.tasks, **past})
            self._outcome = answer
        except (GridGpuError, OSError) as error:
            self._outcome = error
        except Exception as error:
            # An answer in a form that the backend does not know is as good as none. The thread
            # must not end without leaving an outcome.
            self._outcome = Unreachable(
                f"its answer cannot be read: {type(error).__name__}: {error}"
            )

    def _shared_answer(self) -> StatusAnswer:
        """Return an answer that another runner has just got; else ask, and keep the answer."""
        with contextlib.ExitStack() as stack:
            # Where the file cannot be used, for example in a folder of another user, each runner
            # asks for itself.
            with contextlib.suppress(OSError):
                stack.enter_context(_locked(self._answer_file.with_suffix(".lock")))
            known = _read_answer(self._answer_file)
            # A little less than a whole interval: a runner that asks again on time must not find
            # its own last answer still fresh.
            if known is not None and 0 <= time.time() - known.time < 0.9 * poll_interval_s():
                return known
            # The answer gets the time of the question: a job that is handed over between question
            # and answer may be missing in the answer.
            asked_at = time.time()
            answer = StatusAnswer(asked_at, dict(self._query()))
            tasks = {ident: _without_none(status) for ident, status in answer.tasks.items()}
            with contextlib.suppress(OSError):
                write_json(self._answer_file, {"time": asked_at, "tasks": tasks})
            return answer


def _without_none(status: TaskStatus) -> dict[str, Any]:
    return {name: value for name, value in asdict(status).items() if value is not None}


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock file, so that only one runner asks at a time. Raises OSError.

    On a file system without locks two runners may ask at the same time, which does no harm.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = plain_handle(path, LOCK)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _read_answer(path: Path) -> StatusAnswer | None:
    """Return the answer in a file, or None if there is none in our form.

    Another version of this package may have left the file.
    """
    try:
        answer = Fields(read_json(path, ANSWER_BYTES), path.name)
        tasks = answer.inner("tasks")
        found = {ident: _read_status(tasks.inner(ident)) for ident in tasks.names()}
        return StatusAnswer(answer.number("time"), found)
    except StorageError:
        return None


def _read_status(fields: Fields) -> TaskStatus:
    """Return what an answer says about one task. Raises StorageError."""
    texts = {name: fields.maybe(name, fields.text) for name in ("message", "where", "node", "link")}
    return TaskStatus(
        state=fields.one_of("state", TASK_STATES),
        reason=fields.maybe("reason", fields.one_of, REASONS),
        started=fields.maybe("started", fields.number),
        ended=fields.maybe("ended", fields.number),
        given_up=fields.maybe("given_up", fields.truth),
        **texts,
    )


def shown_text(text: Any) -> str | None:
    """Return a value that a batch system sent as one bounded line, or None if it is empty."""
    if text in (None, ""):
        return None
    return one_line(str(text))
