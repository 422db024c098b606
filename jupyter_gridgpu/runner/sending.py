"""Sends each job to the backend exactly once, even if a runner is killed or nobody answers.

A job is written into the journal as *intended* before it is sent, and as *submitted* when the
backend has taken it. If the runner is killed in between, or the batch system does not answer, then
nobody knows whether the job was sent. So the backend is first asked which of the intended jobs it
has (`settle`), and only the others are sent.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from jupyter_gridgpu.backends.base import Backend, Job, job_spec
from jupyter_gridgpu.backends.polling import longest_pause_s, poll_interval_s, silence_limit_s
from jupyter_gridgpu.errors import AnswerPending, QueueFull, StorageError, Unreachable
from jupyter_gridgpu.model import events
from jupyter_gridgpu.model.fold import NOT_SENT
from jupyter_gridgpu.model.job import Observation, job_key
from jupyter_gridgpu.model.records import JobObserved
from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.runner.driven_scan import DrivenScan
from jupyter_gridgpu.runner.observing import JobObserver
from jupyter_gridgpu.transport import scan_secrets

INTEND_AT_ONCE = 1000  # jobs, where the backend takes any number
UNDERWAY_S = 0.25  # between two looks for an answer that is near; one look is one stat
# Errors of a disk that stays full, or read-only, until a user does something.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class JobSender:
    """Hands jobs over to the backend, and knows what holds up those that it has not taken.

    `ask_at` is the time (on the clock of the runner's ticks) when the backend is to be asked again
    which of the intended jobs it has; None if all of them are submitted.
    """

    def __init__(self, scan: DrivenScan, backend: Backend, observer: JobObserver) -> None:
        self.metrics_access: Path | None = None  # the file that lets jobs send their metrics
        self.ask_at: float | None = None
        self._scan = scan
        self._backend = backend
        self._observer = observer
        self._full: str | None = None  # the error text of a backend that takes no more for now
        # Since when the backend does not answer (on the same clock), and the error text.
        self._silent_since: float | None = None
        self._silence = ""
        # Since when the answer to the last hand-over is said to be near (on the same clock).
        self._pending_since: float | None = None

    def ask_again(self, at: float) -> None:
        """Ask the backend at this time which of the intended jobs it has."""
        self.ask_at = at

    def hurry(self, now: float) -> None:
        """If jobs wait to be sent, ask the backend at once: a new command may be about them."""
        if self.ask_at is not None:
            self.ask_at = now

    def settle_when_due(self, now: float) -> None:
        """Settle the jobs that are intended and not submitted, if it is time to ask."""
        if self.ask_at is None or now < self.ask_at:
            return
        active = self._scan.view.active.values()
        self.settle([variant for variant in active if not variant.submitted], now)

    def settle(self, active: Sequence[VariantView], now: float) -> None:
        """Adopt those of these jobs that the backend has, and send the others."""
        self.ask_at = None
        try:
            # `find` gets the keys of submitted jobs as well: by this call a backend also learns of
            # the jobs that an earlier runner has given it.
            found = self._backend.find([variant.key for variant in active])
        except Unreachable as error:
            self._not_taken(error, now)
            return
        self._silent_since = self._pending_since = self._full = None
        missing = []
        adopted = []
        for variant in active:
            if variant.submitted:
                continue
            if variant.key in found:
                data = {"key": variant.key, "engine_id": found[variant.key]}
                adopted.append((events.JOB_SUBMITTED, data))
            else:
                missing.append(variant)
        self._scan.record(*adopted)
        self._send_or_drop(missing, now)

    def _send_or_drop(self, missing: Sequence[VariantView], now: float) -> None:
        """Send intended jobs that the backend does not have, and end those that were stopped."""
        wanted = [variant for variant in missing if not variant.stop_asked]
        if not self._scan.view.paused:
            self._submit(wanted, now)
        elif wanted:
            # A paused scan sends nothing. The jobs stay intended, and `resume` calls `hurry`.
            self.ask_at = now + longest_pause_s()
        # No backend will ever report the end of stopped jobs that it never got, so it is recorded
        # here.
        stopped = Observation("cancelled", "user", "Stopped before it was sent.")
        taken_back = Observation("cancelled", None, NOT_SENT)
        for variant in missing:
            if variant.stop_asked:
                never_sent = taken_back if variant.taken_back else stopped
                self._observer.observed(variant, never_sent, now)

    def send(self, now: float) -> None:
        """Give waiting variants an attempt, as many as the backend takes at once."""
        slots = self._backend.slots()
        free = INTEND_AT_ONCE if slots is None else slots - len(self._scan.view.active)
        chosen = list(islice(self._scan.view.waiting(), max(free, 0)))
        if not chosen:
            return
        # The intention is written and synced before anything is sent. After a crash or a power cut
        # the next runner finds the job by its key, and does not start it a second time.
        keys = [job_key(variant.id, variant.attempts + 1) for variant in chosen]
        self._scan.record(*((events.JOB_INTENDED, {"key": key}) for key in keys), durable=True)
        self._submit(chosen, now)

    def _submit(self, variants: Sequence[VariantView], now: float) -> None:
        """Hand intended jobs over and record the answers."""
        if not variants:
            return
        jobs = [self._job(variant) for variant in variants]
        for key, answer in self._backend.submit(jobs).items():
            self._answered(key, answer, now)

    def _job(self, variant: VariantView) -> Job:
        spec: dict[str, Any] = job_spec(self._scan.spec, variant.key, variant.params)
        if self.metrics_access is not None:
            spec = {**spec, "sender": str(self.metrics_access)}
        secrets = scan_secrets.kept_file(self._scan.spec)
        if secrets is not None:
            names = list(self._scan.spec.environment.secrets)
            spec = {**spec, "secrets": names, "secrets_file": str(secrets)}
        return Job(variant.key, self._scan.paths.job(variant.key), spec)

    def _answered(self, key: str, answer: str | Exception, now: float) -> None:
        """Record what the backend answered for one job: an id, or what went wrong."""
        if isinstance(answer, str):
            self._scan.record((events.JOB_SUBMITTED, {"key": key, "engine_id": answer}))
        elif isinstance(answer, Unreachable):
            # Nobody knows whether the backend has the job, or the backend is full. In both cases
            # the job stays intended.
            self._not_taken(answer, now)
        elif isinstance(answer, OSError) and answer.errno in NO_ROOM:
            # A full disk is no failure of the job. It stays intended, and the next runner sends it.
            raise StorageError(
                f"The job {key} cannot be written: {answer.strerror}. "
                "Free some space, then resume the scan."
            )
        else:
            self._failed(key, answer)

    def _failed(self, key: str, error: Exception) -> None:
        """Record that a job failed because it could not be sent."""
        cause = str(getattr(error, "strerror", None) or error).rstrip(".")
        failure: JobObserved = {
            "key": key,
            "state": "failed",
            "reason": "submit",
            "message": f"The job could not be sent: {cause}.",
            "ended": time.time(),
        }
        self._scan.record((events.JOB_OBSERVED, failure))

    def _not_taken(self, error: Unreachable, now: float) -> None:
        """Set a later time for asking the backend what it has, and remember why it took no job."""
        due = now + pause_s(error)
        # One call may answer differently for each job: the earliest time counts.
        self.ask_at = due if self.ask_at is None else min(self.ask_at, due)
        if isinstance(error, AnswerPending):  # an answer that is near is no silence
            if self._pending_since is None:
                self._pending_since = now
            return
        self._pending_since = None
        if isinstance(error, QueueFull):
            self._full = str(error)
        else:
            self._silence = str(error)
            if self._silent_since is None:
                self._silent_since = now

    def unsent(self, now: float) -> str | None:
        """Return one sentence for the user while jobs cannot be sent, else None."""
        count = sum(1 for variant in self._scan.view.active.values() if not variant.submitted)
        if count == 0:
            return None
        jobs = "1 job" if count == 1 else f"{count:,} jobs"
        if self._full is not None:
            cause = self._full.rstrip(".")
            return f"{jobs} will be sent when there is room for more of yours. ({cause}.)"
        if self._silent_since is not None:
            cause = self._silence.rstrip(".")
            time_text = _minutes_text(now - self._silent_since)
            return f"{jobs} could not be sent{time_text or ' yet'}; it is tried again. ({cause}.)"
        if self._pending_since is None:
            return None
        time_text = _minutes_text(now - self._pending_since)
        if not time_text:
            return None
        verb = "has" if count == 1 else "have"
        return f"{jobs} {verb} been on the way{time_text}; no answer has come yet."


def _minutes_text(seconds: float) -> str:
    """Return ` for 3 min`; "" while a silence is as short as an answer may take."""
    if seconds < silence_limit_s():
        return ""
    return f" for {max(int(seconds) // 60, 1)} min"


def pause_s(error: Unreachable) -> float:
    """Return how many seconds to wait until a backend is asked again what it has."""
    if isinstance(error, AnswerPending):
        return UNDERWAY_S
    if isinstance(error, QueueFull):
        # Room comes when a job of the user ends. To ask often only burdens the batch system.
        return longest_pause_s()
    return poll_interval_s()
