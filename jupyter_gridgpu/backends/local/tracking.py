"""What becomes of the jobs of this machine, from their hand-over to their end.

A job is *unclaimed* until a worker takes it; if none does, it is handed over again. It is *running*
while the process that its claim names is alive, and ended once there is a result, or once that
process is gone. A job is lost if its folder is gone, or if its worker runs on another host and is
silent for too long.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import replace

from jupyter_gridgpu.backends.base import (
    DAMAGED_RESULT,
    has_damaged_result,
    last_log_line,
    notebook_of,
    read_result,
)
from jupyter_gridgpu.backends.batch.exit_codes import EXITS
from jupyter_gridgpu.backends.late_results import LateResults
from jupyter_gridgpu.backends.local.claims import (
    JobOwner,
    claim_for_runner,
    claim_time,
    moved_from,
    read_claim,
)
from jupyter_gridgpu.backends.local.devices import GpuPins
from jupyter_gridgpu.backends.local.endings import (
    end_of,
    kill_leftovers,
    launcher_failed,
    publish_result,
    stopped_before_start,
)
from jupyter_gridgpu.backends.local.starters import Starter
from jupyter_gridgpu.backends.local.waiting import HandedOver
from jupyter_gridgpu.backends.signs_of_life import SignsOfLife
from jupyter_gridgpu.model.job import Observation
from jupyter_gridgpu.store.paths import (
    ScanPaths,
    scratch_folder,
    write_stop,
)
from jupyter_gridgpu.store.process import Process

# If no worker has claimed a job after so long, another one is started; then after twice as long.
UNCLAIMED_S = 60.0
MAX_HAND_OVERS = 6  # of one job, to workers of which none claimed it: that takes an hour
GONE_S = 10.0  # a job whose folder is missing for so long is lost
UNREADABLE_S = 5.0  # a claim that nobody can read for so long is that of a worker that is dead
# A job on another host is lost after so long without a heartbeat; a worker writes one every 20 s.
LOST_S = 180.0
MAX_FAILED_STARTS = 3  # failed starts in a row after which jobs are given up


class LocalJobTracker:
    """Starts workers for jobs, and follows each job until it has ended.

    All waiting is counted on `clock`, which stands still while the machine sleeps and never jumps.
    """

    def __init__(
        self,
        paths: ScanPaths,
        starter: Starter,
        pins: GpuPins,
        contained: bool,
        patience_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`contained` says whether each job has a launcher of its own, which may fail.

        `patience_s` is how long a worker that was told to end has before it is killed.
        """
        self._patience_s = patience_s
        self.unclaimed_s = UNCLAIMED_S
        self._paths = paths
        self._starter = starter
        self._pins = pins
        self._contained = contained
        self.start_reason = "image"  # of a launcher that failed in a way that has no code
        self._clock = clock
        self._handed_over: dict[str, HandedOver] = {}
        self._cancelled: dict[str, float] = {}  # key -> when its worker was told to end
        self._unreadable: dict[str, float] = {}  # key -> when its claim was first seen damaged
        self._gone: dict[str, float] = {}  # key -> when its job.json was first missed
        self._late = LateResults(paths, clock)
        self._signs = SignsOfLife(clock)
        # A running job whose notebook is known has nothing more to show. Its worker and what was
        # seen are kept here, so that a poll costs one look at a process and none at the disk.
        self._running: dict[str, tuple[Process, Observation]] = {}

    def hand_over(self, key: str) -> None:
        """Start a worker for a job. Raises OSError."""
        self._starter.start(key)
        self._handed_over.setdefault(key, HandedOver()).again(self._clock())

    def look(self, key: str) -> Observation:
        """Return what is known of a job now.

        If nobody has claimed the job and no process that could claim it is left, another worker is
        started.
        """
        if result := self._result(key):
            return result
        if key in self._running:
            worker, seen = self._running[key]
            if worker.alive():
                self._kill_if_late(key, worker)
                return seen
        try:
            claim = read_claim(self._paths.job(key))
        except OSError:
            # The disk is away for the moment: nothing is known of who has the job.
            return Observation("queued")
        if claim is None:
            return self._unclaimed(key)
        if claim.damaged:
            return self._damaged(key, claim)
        return self._claimed(key, claim)

    def cancel(self, key: str) -> None:
        """Tell the worker of a job to end, or claim the job so that no worker takes it."""
        if key in self._cancelled or claim_for_runner(self._paths.job(key)):
            return
        # A claim that cannot be read now is asked for in the next tick.
        claim = None
        with contextlib.suppress(OSError):
            claim = read_claim(self._paths.job(key))
        owner = None
        if claim is not None:
            owner = claim.process
        if owner is not None and owner.alive():
            self._cancelled[key] = self._clock()
            # The file tells the worker why it is ended; on a full disk the signal has to do.
            with contextlib.suppress(OSError):
                write_stop(self._paths.job(key).stop)
            with contextlib.suppress(ProcessLookupError):
                os.kill(owner.pid, signal.SIGTERM)

    # before a worker has the job --------------------------------------------------

    def _unclaimed(self, key: str) -> Observation:
        """Return what is known of a job that no worker has taken yet."""
        job = self._paths.job(key)
        if not job.spec.exists():
            # A network disk may be away for a moment.
            if self._clock() - self._gone.setdefault(key, self._clock()) < GONE_S:
                return Observation("queued")
            return self._ended(key, Observation("lost", message="The folder of the job is gone."))
        self._gone.pop(key, None)
        if self._starter.may_claim(key):
            return self._late_or_queued(key)
        if self._starter.failed_starts >= MAX_FAILED_STARTS and claim_for_runner(job):
            reason = last_log_line(self._paths.log)
            return self._not_started(key, f"Workers cannot start on this machine. {reason}")
        # The first worker may have claimed the job a moment ago. Then the new worker does nothing.
        self.hand_over(key)
        return Observation("queued")

    def _late_or_queued(self, key: str) -> Observation:
        """Return what is known of a job whose worker has been started, and start another if late.

        A fork server may be stopped, import from a slow disk, or be short of memory. That is no
        failure of the job. If two workers come in the end, the claim decides which one runs it.
        """
        given = self._handed_over[key]
        if self._clock() - given.at <= given.patience_s(self.unclaimed_s):
            return Observation("queued", message=given.message())
        job = self._paths.job(key)
        # The runner takes the claim first: a slow worker must not run a job that has failed.
        if given.times >= MAX_HAND_OVERS and claim_for_runner(job):
            return self._not_started(
                key,
                f"None of {given.times} workers took the job; "
                "runner.log in the scan folder may say why.",
            )
        self._starter.start_again(key)
        given.again(self._clock())
        return Observation("queued", message=given.message())

    def _not_started(self, key: str, message: str) -> Observation:
        return self._ended(key, Observation("failed", "submit", message, ended=time.time()))

    def _damaged(self, key: str, claim: JobOwner) -> Observation:
        """Return what is known of a job whose claim names nobody.

        Claims are made in one step. So a claim that stays unreadable was damaged later, as by a
        power cut, which also ended the worker.
        """
        now = self._clock()
        if now - self._unreadable.setdefault(key, now) < UNREADABLE_S:
            return Observation("queued")
        return self._died(key, claim)

    # while a worker has the job ---------------------------------------------------

    def _claimed(self, key: str, claim: JobOwner) -> Observation:
        """Return what is known of a job that was taken and has no result yet."""
        owner = claim.process
        if owner is None:
            return self._ended(key, stopped_before_start())
        if owner.host != socket.gethostname():
            return self._on_other_host(key, owner, claim)
        if owner.alive():
            self._kill_if_late(key, owner)
            seen = self._seen_running(key, claim)
            if seen.notebook:
                self._running[key] = owner, seen
            return seen
        # The worker may have published its result and ended since the look for a result above.
        return self._result(key) or self._died(key, claim)

    def _seen_running(self, key: str, claim: JobOwner) -> Observation:
        """Return the observation of a job whose worker runs."""
        # A worker has started, so this machine can start workers.
        self._starter.failed_starts = 0
        return Observation(
            "running",
            where=socket.gethostname(),
            gpu=",".join(self._pins.get(key)) or None,
            started=claim_time(self._paths.job(key)),
            notebook=notebook_of(self._paths, key, claim.copy),
        )

    def _on_other_host(self, key: str, owner: Process, claim: JobOwner) -> Observation:
        """Return what is known of a job on another host that shares the scan's folder.

        Processes of other hosts cannot be seen, so only the heartbeat of the worker counts.
        """
        job = self._paths.job(key)
        metrics = [copy.metrics for copy in job.copies() if copy.metrics.exists()]
        last_sign = max(path.stat().st_mtime for path in (job.claim, *metrics))
        if self._signs.silent_s(key, last_sign) < LOST_S:
            return replace(self._seen_running(key, claim), where=owner.host)
        message = f"{owner.host}, where it ran, has not been heard of for {LOST_S / 60:.0f} min."
        return self._given_up(key, claim, Observation("lost", message=message))

    def _kill_if_late(self, key: str, owner: Process) -> None:
        """Kill a worker that was told to end and has not ended in time."""
        told_at = self._cancelled.get(key)
        if told_at is not None and self._clock() - told_at > self._patience_s:
            with contextlib.suppress(ProcessLookupError):
                os.kill(owner.pid, signal.SIGKILL)

    # when the job has ended -------------------------------------------------------

    def _result(self, key: str) -> Observation | None:
        """Return the published result of a job, or None if there is none."""
        result = read_result(self._paths, key)
        if result is None or not self._late.has_come(key):
            return None
        return self._ended(key, result)

    def _ended(self, key: str, seen: Observation) -> Observation:
        """Forget a job that has ended, and return `seen` with the GPU seconds that it took."""
        devices = self._pins.release(key)
        waits = (self._handed_over, self._cancelled, self._running, self._unreadable, self._gone)
        for known in waits:
            known.pop(key, None)
        self._signs.forget(key)
        self._late.forget(key)
        seconds = (seen.ended or 0.0) - (seen.started or 0.0)
        return replace(seen, gpu_s=max(seconds, 0.0) * len(devices))

    def _died(self, key: str, claim: JobOwner) -> Observation:
        """Return what became of a job whose worker is gone and has published no result."""
        job = self._paths.job(key)
        kill_leftovers(str(job.folder))
        started = claim_time(job)
        if claim.copy is not None:
            shutil.rmtree(scratch_folder(claim.copy), ignore_errors=True)
            if publish_result(job, claim.copy) and (result := self._result(key)):
                return result
        if claim.folder is not None and moved_from(claim.folder, job):
            # The worker ended because its folder was gone. That is no failure of the job.
            kill_leftovers(claim.folder)
            job.claim.unlink()
            self._running.pop(key, None)
            self.hand_over(key)
            return Observation("queued", message="It runs again, since the scan was moved.")
        # A worker makes the folder of its copy first, so without it no worker began.
        began = claim.copy is None or job.copy(claim.copy).folder.exists()
        if self._contained and not began:
            if key in self._cancelled:
                return self._ended(key, stopped_before_start())
            code = self._starter.exit_code(key)
            reason = EXITS[code][0] if code in EXITS else self.start_reason
            return self._given_up(key, claim, launcher_failed(job, claim, started, reason))
        message = "The worker was killed; what was saved until then is kept."
        if has_damaged_result(self._paths, key):
            message = DAMAGED_RESULT
        killed = Observation(
            "failed",
            "node",
            message,
            started=started,
            ended=end_of(claim, started),
            notebook=notebook_of(self._paths, key, claim.copy),
        )
        return self._given_up(key, claim, killed)

    def _given_up(self, key: str, claim: JobOwner, end: Observation) -> Observation:
        """Return the end of a job without a result; it runs as long as there may be one."""
        if self._late.has_none(key, end, claim.copy):
            return self._ended(key, end)
        return self._seen_running(key, claim)
