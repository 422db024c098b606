"""The time limit of the batch system, as a job learns of it.

Slurm tells a job with a signal that the limit is near. The signal may come minutes early, and the
limit may be later than the walltime of the job. So it is only a hint: Slurm is asked how long the
job may still run, and the job ends in time to save.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from jupyter_gridgpu.model.grace import END_SPARE_S

ANSWER_S = 5.0  # how long the answer may take; it is a part of END_SPARE_S
TIMED_OUT = ("timeout", "Reached the time limit of the queue")
PREEMPTED = ("preempted", "The batch system gives the node to a job of higher priority")
_DURATION = re.compile(r"(?:(\d{1,6})-)?(?:(\d{1,4}):)?(\d{1,4}):(\d{1,2})")


@dataclass(frozen=True)
class TimeLeft:
    """How many seconds a job may still run, and whether that is because it is preempted."""

    seconds: float
    preempted: bool = False


class QueueLimit:
    """When a job must begin to save because of the limit of the batch system, as far as is known.

    A signal announces the limit, and `reached` then asks for it, in a thread.
    """

    def __init__(self, grace_s: float, notice_s: float | None) -> None:
        """`notice_s` is how long before the limit the signal comes at the latest, None if unknown.

        `grace_s` is how long saving may take.
        """
        self._patience_s = grace_s + END_SPARE_S
        self._notice_s = notice_s or 0.0
        self._announced = False  # whether a limit was announced and is still to be asked for
        self._answered = False
        self._until: float | None = None  # on the monotonic clock; None: no limit is known
        self._why = TIMED_OUT

    def announce(self) -> None:
        """Note that the limit may be near. May be called by a handler of signals."""
        wait_s = self._notice_s - self._patience_s
        if can_ask():
            # At least until the answer is there.
            wait_s = max(wait_s, ANSWER_S)
            self._announced = True
        self._until = time.monotonic() + wait_s

    def look(self) -> None:
        """Ask for the limit, of which a signal may have been missed. Only an answer counts."""
        self._announced = can_ask()

    def reached(self, now: float) -> tuple[str, str] | None:
        """Return reason and message if the job must begin to save, else None. Never waits."""
        if self._announced:
            self._announced = False
            threading.Thread(target=self._ask, daemon=True).start()
        if self._until is None or now < self._until:
            return None
        return self._why

    def _ask(self) -> None:
        left = time_left()
        # Without an answer, what the signal itself tells still holds.
        if left is not None:
            self._why = PREEMPTED if left.preempted else TIMED_OUT
            self._until = time.monotonic() + left.seconds - self._patience_s
        self._answered = True


def can_ask() -> bool:
    """Return whether this job can find out how long it may still run."""
    if not os.environ.get("SLURM_JOB_ID"):
        return False
    return bool(os.environ.get("SLURM_JOB_END_TIME")) or shutil.which("squeue") is not None


def time_left(environment: Mapping[str, str] = os.environ) -> TimeLeft | None:
    """Return how long Slurm lets this job run from now on, or None if that cannot be known."""
    asked = _asked(environment)
    if asked is not None:
        return asked
    # What newer versions tell when a job starts; the limit may have been changed meanwhile.
    end = environment.get("SLURM_JOB_END_TIME", "")
    if not re.fullmatch(r"\d{1,12}", end):
        return None
    return TimeLeft(float(end) - time.time())


def _asked(environment: Mapping[str, str]) -> TimeLeft | None:
    job = environment.get("SLURM_JOB_ID", "")
    if not job.isdecimal():
        return None
    # The job's own cluster is asked, in the form that is read here, whatever the user has set.
    own = {name: value for name, value in environment.items() if not _changes_squeue(name)}
    form = "TimeLeft:|,PreemptTime:|"
    try:
        ran = subprocess.run(
            ["squeue", "--noheader", f"--jobs={job}", f"--Format={form}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWER_S,
            env=own,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return read_time_left(ran.stdout)


def _changes_squeue(variable: str) -> bool:
    return variable == "SLURM_CLUSTERS" or variable.startswith("SQUEUE_")


def read_time_left(text: str) -> TimeLeft | None:
    """Return what squeue prints about a job: `1-02:03:04|N/A|`. None if it has no limit."""
    left, _, rest = text.strip().partition("|")
    found = _DURATION.fullmatch(left.strip())
    if not found:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    total_s = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return TimeLeft(float(total_s), rest.strip("| ") not in ("", "N/A", "None", "Unknown"))
