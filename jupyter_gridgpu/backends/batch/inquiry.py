"""Asking a batch system how a user's jobs are: seldom, never waited for, and once for all scans of the user.

The question runs in a thread, since an engine may take its time; its answer is kept in a file that the runners of all
scans of a home share, so that the engine hears one question for a user and cluster.
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

from jupyter_gridgpu.errors import GridGpuError, Unreachable
from jupyter_gridgpu.model.job import bounded
from jupyter_gridgpu.model.units import duration
from jupyter_gridgpu.store.paths import read_json, write_json

POLL_S = 15.0  # between two questions; GRIDGPU_POLL_S sets another
LONGEST_S = 3600.0
SOON_S = 1.0
SLOWEST = 4  # times POLL_S: between questions while nothing changes, or nobody answers
SILENT_S = 60.0  # until a silence is worth a word
ANSWER_BYTES = 256_000_000


@dataclass(frozen=True)
class TaskStatus:
    """What an engine says of a task. Its words are shown, bounded, and never believed further."""

    state: str  # queued, running, done, failed or cancelled; 'done': it ended by itself, whether well its results say
    reason: str | None = None
    message: str | None = None
    where: str | None = None
    node: str | None = None
    started: float | None = None
    ended: float | None = None
    link: str | None = None  # a page about it

    @property
    def ended_there(self) -> bool:
        return self.state not in ("queued", "running")


@dataclass(frozen=True)
class StatusAnswer:
    """What an engine said of all tasks of the user, asked at `time` (seconds since the epoch)."""

    time: float
    tasks: Mapping[str, TaskStatus] = field(default_factory=dict)

    def since(self, path: Path) -> bool:
        """Whether a file is there that was written before the question."""
        with contextlib.suppress(OSError):
            return path.stat().st_mtime < self.time
        return False


def poll_interval_s() -> float:
    """Return how long to wait between two questions."""
    with contextlib.suppress(ValueError):
        wanted = float(os.environ.get("GRIDGPU_POLL_S", POLL_S))
        return min(max(wanted, 0.1), LONGEST_S) if math.isfinite(wanted) else POLL_S
    return POLL_S


class Inquiry:
    """The pace of one runner's questions: faster after news, slower while nothing changes or nobody answers."""

    def __init__(
        self,
        engine: str,
        ask: Callable[[], Mapping[str, TaskStatus]],
        ask_past: Callable[[Sequence[str]], Mapping[str, TaskStatus]],
        shared: Path,
    ) -> None:
        """`ask` raises Unreachable where the engine does not answer; `shared` is the file of the last answer."""
        self.answer: StatusAnswer | None = None
        self._engine = engine
        self._ask = ask
        self._ask_past = ask_past
        self._shared = shared
        self._every = poll_interval_s()
        self._due = self._asked = -math.inf
        self._thread: threading.Thread | None = None
        self._came: StatusAnswer | Exception | None = None
        self._trouble: Exception | None = None
        self._since = time.time()  # the last answer, or the beginning

    def hurry(self) -> None:
        """Something was done to the engine: look again soon, though not sooner than it likes."""
        self._every = poll_interval_s()
        self._due = min(self._due, max(time.monotonic() + SOON_S, self._asked + self._every))

    def look(self, missing: Sequence[str] = ()) -> None:
        """Take an answer that came, and ask again when it is time; never waits.

        `missing` are tasks of which the last answers said nothing: an archive is asked for them too.
        """
        if self._thread is not None and not self._thread.is_alive():
            self._thread = None
            self._take()
        if self._thread is None and time.monotonic() >= self._due:
            self._asked = time.monotonic()
            self._thread = threading.Thread(
                target=self._question, args=(list(missing),), daemon=True
            )
            self._thread.start()

    def notice(self) -> str | None:
        """One sentence while the engine is silent."""
        silent = time.time() - self._since
        if self._trouble is None or silent < min(SILENT_S, SLOWEST * poll_interval_s()):
            return None
        length = duration(silent) if silent >= 3600 else f"{max(int(silent // 60), 1)} min"
        shown = f"shown as of {time.strftime('%H:%M', time.localtime(self._since))}"
        return f"{self._engine} has not answered for {length}. Jobs go on; {shown}. ({str(self._trouble).rstrip('.')}.)"

    def _take(self) -> None:
        came, self._came = self._came, None
        if isinstance(came, StatusAnswer):
            news = self.answer is None or came.tasks != self.answer.tasks
            self.answer, self._trouble, self._since = came, None, came.time
            self._every = (
                poll_interval_s() if news else min(self._every * 1.5, SLOWEST * poll_interval_s())
            )
        else:
            self._trouble = came or Unreachable("it did not answer")
            self._every = min(self._every * 1.5, SLOWEST * poll_interval_s())
        self._due = time.monotonic() + self._every * random.uniform(1.0, 1.1)

    def _question(self, missing: list[str]) -> None:
        try:
            answer = self._shared_answer()
            unknown = [task for task in missing if task not in answer.tasks]
            past = self._ask_past(unknown) if unknown else {}
            self._came = replace(answer, tasks={**answer.tasks, **past}) if past else answer
        except (GridGpuError, OSError) as error:
            self._came = error
        except Exception as error:  # an answer in a form that nobody knows: as good as none
            self._came = Unreachable(f"its answer cannot be read: {type(error).__name__}: {error}")

    def _shared_answer(self) -> StatusAnswer:
        """The answer another runner just got, else one of our own, left for others."""
        with _locked(self._shared.with_suffix(".lock")):
            known = _read(self._shared)
            if known is not None and 0 <= time.time() - known.time < 0.9 * poll_interval_s():
                return known
            asked = time.time()
            answer = StatusAnswer(asked, dict(self._ask()))
            tasks = {
                ident: {k: v for k, v in asdict(seen).items() if v is not None}
                for ident, seen in answer.tasks.items()
            }
            write_json(self._shared, {"time": asked, "tasks": tasks})
            return answer


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the file while asking; where there are no locks, two runners may ask at once, which does no harm."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _read(path: Path) -> StatusAnswer | None:
    body = read_json(path, ANSWER_BYTES)
    try:
        return StatusAnswer(
            float(body["time"]),
            {str(ident): TaskStatus(**seen) for ident, seen in body["tasks"].items()},
        )
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


def shown_text(text: Any) -> str | None:
    """Return what an engine said as one bounded line."""
    return bounded(str(text)) if text not in (None, "") else None
