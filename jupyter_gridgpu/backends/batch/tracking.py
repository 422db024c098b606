"""Tracks jobs that were handed over to a batch system, until each of them has ended.

There are two witnesses for every job. Its files say at once that it runs and how it ended, without
a question to anybody. The batch system says why a job waits, on which node it is, and what became
of a job that left no result. A result is believed before the batch system: the worker knows how the
notebook ended, while the batch system sees a process and tells it late.

A batch system that is silent changes nothing: what it said last stays, and no job is given up for a
time in which nobody could have been asked.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from jupyter_gridgpu.backends.batch.batches import BatchStore
from jupyter_gridgpu.backends.batch.endings import Endings
from jupyter_gridgpu.backends.batch.inquiry import (
    PAST_LIMIT,
    Inquiry,
    StatusAnswer,
    TaskStatus,
)
from jupyter_gridgpu.backends.batch.observations import Observer
from jupyter_gridgpu.backends.batch.system import BatchSystem
from jupyter_gridgpu.backends.polling import poll_interval_s
from jupyter_gridgpu.model.job import Observation
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.model.units import duration_text
from jupyter_gridgpu.store.paths import CopyPaths, ScanPaths, publish

# For how many poll intervals a batch system that answers may not know a job without a result,
# until the job is lost. With intervals of 15 s, this is 5 minutes.
LOST_POLLS = 20
LOOKS = 100  # how many of the jobs that wait are looked at in one poll


@dataclass
class TrackedJob:
    """What is remembered of a job from one poll to the next."""

    # When the batch system was first heard to say that the job has ended (monotonic clock).
    ended: float | None = None
    # When an answer was first found that does not hold the job (seconds since the epoch).
    missing: float | None = None
    running: bool = False
    folder_changed_ns: int = -1  # when its folder was last seen to change


class JobTracker:
    """Follows the jobs of one scan."""

    def __init__(
        self,
        system: BatchSystem,
        scan: ScanSpec,
        paths: ScanPaths,
        batches: BatchStore,
        inquiry: Inquiry,
    ) -> None:
        self.unfinished = 0  # jobs that were handed over and have not ended, as of the last poll
        # Seconds until a result that a node wrote is seen here: disks of clusters may be late.
        self.grace_s = min(10.0, 4 * poll_interval_s())
        self.endings = Endings(paths, batches, system.end)
        self._system = system
        self._paths = paths
        self._batches = batches
        self._inquiry = inquiry
        self._observer = Observer(
            system.title, scan, paths, batches, system.capabilities.shows_files
        )
        self._tracked: dict[str, TrackedJob] = {}
        self._turn: deque[str] = deque()  # jobs whose turn to be looked at is still to come

    def poll(self, ids: Mapping[str, str]) -> dict[str, Observation]:
        """Return what is seen of jobs now. `ids` maps keys to tasks."""
        self.unfinished = len(ids)
        before = self._inquiry.answer
        missing = [
            ids[key] for key, tracked in self._tracked.items() if tracked.missing and key in ids
        ]
        self._inquiry.refresh(missing[:PAST_LIMIT])
        if self.endings.carry_out():
            self._inquiry.hurry()
        found: dict[str, Observation] = {}
        for key in self._chosen(ids, before):
            observation = self._look(key, ids[key])
            if observation is not None:
                found[key] = observation
        return found

    def cancel(self, ids: Mapping[str, str]) -> None:
        """Ask jobs to end. `ids` maps keys to tasks."""
        self.endings.request(ids)

    def _chosen(self, ids: Mapping[str, str], before: StatusAnswer | None) -> list[str]:
        """Return the keys of the jobs to look at now; `before` is the answer of the last poll.

        These are the jobs that run or end, those about which the batch system says something new,
        and some of the others in turn. A look reads files, perhaps over a network, and there may
        be ten thousand jobs that wait.
        """
        chosen: list[str] = []
        asked = self.endings.asked
        for key in ids:
            tracked = self._tracked.get(key)
            moves = tracked is not None and (tracked.running or tracked.ended)
            if moves or key in asked:
                chosen.append(key)
        answer = self._inquiry.answer
        if answer is not before:
            for key, task in ids.items():
                if _status_in(answer, task) != _status_in(before, task):
                    chosen.append(key)
        if not self._turn:
            self._turn = deque(ids)
        for _ in range(min(LOOKS, len(self._turn))):
            key = self._turn.popleft()
            if key in ids:
                chosen.append(key)
        return list(dict.fromkeys(chosen))  # each once, in this order

    def _look(self, key: str, task: str) -> Observation | None:
        """Return what files and batch system say about a job now, or None if nothing follows."""
        tracked = self._tracked.setdefault(key, TrackedJob())
        answer = self._inquiry.answer
        status = _status_in(answer, task)
        copy: CopyPaths | None = None
        # Files are read only where some may have come. Those of a task that ended may have come
        # without a change of the folder itself: into the folder of a copy.
        ended = status is not None and status.has_ended
        if self._folder_changed(key, tracked) or ended:
            # A result is believed before the batch system, whatever that says about the task.
            result = self._result(key, status)
            if result is not None:
                return result
            copy = self._observer.newest_copy(key)
        if status is not None and status.has_ended:
            return self._without_result(key, status, copy, tracked)
        # If the batch system said before that the task had ended, it has started it again.
        tracked.ended = None
        if copy is not None and _copy_runs(copy, status, answer):
            return self._running(key, status, copy, tracked)
        if status is not None:
            tracked.missing = None
            waiting = self._observer.waiting_for_turn(key, status)
            if waiting is not None:
                return waiting
            tracked.running = status.state == "running"
            return self._observer.without_files(status)
        if answer is not None:
            return self._unknown(key, answer, tracked)
        # No files and no answer so far: nothing is known, so the job stays as it was.
        return None

    def _folder_changed(self, key: str, tracked: TrackedJob) -> bool:
        """Return whether files may have come since the last look at a job.

        For a job that waits this costs one `stat`. The folder's time does not tell of files that
        grow or that lie deeper, so a job that runs or ends is always looked into.
        """
        try:
            changed_ns = os.stat(self._paths.job(key).folder).st_mtime_ns
        except OSError:
            return True
        changed = changed_ns != tracked.folder_changed_ns
        tracked.folder_changed_ns = changed_ns
        return changed or tracked.running or tracked.ended is not None

    def _result(self, key: str, status: TaskStatus | None) -> Observation | None:
        """Return the end of a job that has a sound result, else None."""
        result = self._observer.result(key, status)
        if result is None:
            return None
        return self._final(key, result)

    def _running(
        self, key: str, status: TaskStatus | None, copy: CopyPaths, tracked: TrackedJob
    ) -> Observation:
        """Return that a job runs, or that it is lost."""
        tracked.running = True
        lost = None
        answer = self._inquiry.answer
        if status is None and answer is not None and answer.time > copy.made():
            # The copy had begun when the batch system was asked, and the batch system does not
            # know the job. It may have ended and left the queue, without a result.
            lost = self._unknown(key, answer, tracked)
        else:
            tracked.missing = None
        return lost or self._observer.running(key, status, copy)

    def _without_result(
        self, key: str, status: TaskStatus, copy: CopyPaths | None, tracked: TrackedJob
    ) -> Observation | None:
        """Return the end of a job that the batch system says has ended and that has no result yet.

        Returns None as long as a result may still come.
        """
        if tracked.ended is None:
            tracked.ended = time.monotonic()
            place = self._batches.place(key)
            if place is not None:
                self._system.bring(*place)
        if copy is not None and self._publish_kept_result(key, copy):
            return self._result(key, status)
        # The node may have written a result that the file system does not show here yet.
        if time.monotonic() - tracked.ended < self.grace_s:
            return None
        return self._final(key, self._observer.without_result(key, status, copy))

    def _publish_kept_result(self, key: str, copy: CopyPaths) -> bool:
        """Publish a result that a copy kept to itself; return whether there was one to publish."""
        # A copy that was preempted does not publish its result, since the batch system may start
        # the job again. Now the batch system says that it will not, so this result counts.
        return copy.result.is_file() and publish(copy.result, self._paths.job(key).result)

    def _unknown(self, key: str, answer: StatusAnswer, tracked: TrackedJob) -> Observation | None:
        """Return the end of a job that the batch system does not know, or None as long as it may.

        The job may not have arrived in the queue yet, it may have left it, or it was never there.
        """
        now = time.time()
        # From now on the archive is asked about it, see `poll`.
        tracked.missing = tracked.missing or now
        # A batch system may forget at once a job that was cancelled before it started. This
        # follows only from a question that was asked after the job was told to stop.
        stopped = answer.asked_after(self._paths.job(key).stop)
        if stopped and now - tracked.missing > self.grace_s:
            return self._final(key, self._observer.cancelled_unstarted())
        # Only answers count: while the batch system is silent, `answer.time` stands still, so no
        # job is lost by a silence.
        unknown_s = answer.time - tracked.missing
        if unknown_s < LOST_POLLS * poll_interval_s():
            return None
        return self._final(key, self._observer.lost(duration_text(unknown_s)))

    def _final(self, key: str, observation: Observation) -> Observation:
        """Forget a job that has ended, and return its last observation."""
        self._tracked.pop(key, None)
        self.endings.forget(key)
        return self._observer.with_gpu_seconds(observation)


def _copy_runs(copy: CopyPaths, status: TaskStatus | None, answer: StatusAnswer | None) -> bool:
    """Return whether the newest copy of a job is one that runs, not one of an earlier start.

    `status` is that of the job's task; the task has not ended.
    """
    if status is None or status.state == "running":
        return True
    # The batch system says that the task waits. Either the copy is of an earlier start and the
    # task was queued again, or the copy began after the question and the answer is out of date.
    return answer is not None and copy.made() > answer.time


def _status_in(answer: StatusAnswer | None, task: str) -> TaskStatus | None:
    """Return what an answer says about a task, or None if it says nothing."""
    if answer is None:
        return None
    return answer.tasks.get(task)
