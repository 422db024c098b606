"""Tracks jobs that were handed over to a batch system, until each of them has ended.

There are two witnesses for every job. Its files say at once that it runs and how it ended, without
a question to anybody. The batch system says why a job waits, on which node it is, and what became
of a job that left no result. A result is believed before the batch system: the worker knows how the
notebook ended, while the batch system sees only a process, and tells its end late.

While a batch system is silent, its last answer stays valid. Only answers can make a job lost, so no
job is lost because of a silence. `JobTracker._unknown` decides that a job is lost.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from jupyter_gridgpu.backends.base import patience
from jupyter_gridgpu.backends.batch.batches import BatchStore
from jupyter_gridgpu.backends.batch.end_requests import EndRequests
from jupyter_gridgpu.backends.batch.inquiry import (
    PAST_LIMIT,
    Inquiry,
    StatusAnswer,
    TaskStatus,
)
from jupyter_gridgpu.backends.batch.observations import ObservationBuilder
from jupyter_gridgpu.backends.batch.system import BatchSystem
from jupyter_gridgpu.backends.late_results import LateResults
from jupyter_gridgpu.backends.polling import poll_interval_s
from jupyter_gridgpu.model.job import Observation
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.model.units import duration_text
from jupyter_gridgpu.store.paths import CopyPaths, ScanPaths, publish

# A job without a result is lost if the batch system answers and has not known the job for so many
# poll intervals. With intervals of 15 s, this is 5 minutes.
LOST_POLLS = 20
# How often to look at the files of a job that waits although its folder has not changed: some
# disks tell that late or never.
LOOK_S = 300.0
WAITING_LOOKS = 100  # how many of the jobs that wait are looked at in one poll


@dataclass
class TrackedJob:
    """What is remembered of a job from one poll to the next."""

    # When an answer of the batch system first said that the job had ended (monotonic clock).
    ended: float | None = None
    # When an answer of the batch system first lacked the job (seconds since the epoch).
    missing: float | None = None
    # The same moment on a clock that stands still while this machine sleeps.
    missing_awake: float = 0.0
    # When an answer last said that the job waited, and had not started (seconds since the epoch).
    waited: float | None = None
    # When the first question was asked whose answer lacked the job (seconds since the epoch).
    missing_in: float = 0.0
    running: bool = False
    folder_changed_ns: int = -1  # when its folder was last seen to change
    looked: float = 0.0  # when its files were last looked at, on the monotonic clock


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
        # Seconds until a result that a node wrote is surely seen here: shared disks may be late.
        self.grace_s = min(10.0, 4 * poll_interval_s())
        self.end_requests = EndRequests(paths, batches, system.end, patience(scan))
        self._system = system
        self._paths = paths
        self._batches = batches
        self._inquiry = inquiry
        self._observations = ObservationBuilder(
            system.title, scan, paths, batches, system.capabilities.shows_files
        )
        # Whether the nodes write into the scan's folder itself.
        self._shared = system.capabilities.shows_files and scan.placement.shared
        self._late = LateResults(paths)
        self._tracked: dict[str, TrackedJob] = {}
        self._turn: deque[str] = deque()  # jobs whose turn to be looked at is still to come

    def poll(self, ids: Mapping[str, str]) -> dict[str, Observation]:
        """Return what is known of jobs now, by key. `ids` maps keys to tasks."""
        self.unfinished = len(ids)
        before = self._inquiry.answer
        missing = [
            ids[key] for key, tracked in self._tracked.items() if tracked.missing and key in ids
        ]
        self._inquiry.refresh(missing[:PAST_LIMIT])
        if self.end_requests.carry_out():
            self._inquiry.hurry()
        found: dict[str, Observation] = {}
        for key in self._keys_to_look_at(ids, before):
            observation = self._look(key, ids[key])
            if observation is not None:
                found[key] = observation
        return found

    def cancel(self, ids: Mapping[str, str]) -> None:
        """Ask jobs to end. `ids` maps keys to tasks."""
        self.end_requests.request(ids)

    def _keys_to_look_at(self, ids: Mapping[str, str], before: StatusAnswer | None) -> list[str]:
        """Return the keys of the jobs to look at now; `before` is the answer of the last poll.

        These are the jobs that run or end, the jobs about which the batch system says something
        new, and some of the jobs that wait, in turn. A look reads files, perhaps over a network,
        and there may be ten thousand jobs that wait.
        """
        chosen: list[str] = []
        for key in ids:
            tracked = self._tracked.get(key)
            runs_or_ends = tracked is not None and (tracked.running or tracked.ended)
            if runs_or_ends or key in self.end_requests.requested:
                chosen.append(key)
        answer = self._inquiry.answer
        if answer is not before:
            for key, task in ids.items():
                if _status_in(answer, task) != _status_in(before, task):
                    chosen.append(key)
        if not self._turn:
            self._turn = deque(ids)
        for _ in range(min(WAITING_LOOKS, len(self._turn))):
            key = self._turn.popleft()
            if key in ids:
                chosen.append(key)
        return list(dict.fromkeys(chosen))  # each once, in this order

    def _look(self, key: str, task: str) -> Observation | None:
        """Return the observation of a job from its files and the batch system's last answer.

        Return None if they tell nothing, so that the job stays as it was.
        """
        tracked = self._tracked.setdefault(key, TrackedJob())
        answer = self._inquiry.answer
        status = _status_in(answer, task)
        copy: CopyPaths | None = None
        # Files are read only where new ones may have come. When a task ends, files may come into
        # the folder of a copy, which does not change the folder of the job.
        ended = status is not None and status.has_ended
        if self._folder_changed(key, tracked) or ended:
            # A result is believed, whatever the batch system says about the task.
            result = self._result(key, status)
            if result is not None:
                return result
            copy = self._observations.newest_copy(key)
        if status is not None and status.has_ended:
            return self._without_result(key, status, copy, tracked)
        # If an earlier answer said that the task had ended, the batch system has started it again.
        tracked.ended = None
        if copy is not None and _copy_runs(copy, status, answer):
            return self._running(key, status, copy, tracked)
        if status is not None:
            tracked.missing = None
            if status.state == "queued" and answer is not None:
                tracked.waited = answer.time
            waiting = self._observations.waiting_for_turn(key, status)
            if waiting is not None:
                return waiting
            tracked.running = status.state == "running"
            return self._observations.without_files(status)
        if answer is not None:
            return self._unknown(key, answer, tracked)
        # No files and no answer so far: nothing is known, so the job stays as it was.
        return None

    def _folder_changed(self, key: str, tracked: TrackedJob) -> bool:
        """Return whether files may have come since the last look at a job.

        For a job that waits this costs one `stat`. The folder's time does not tell of files that
        grow or that lie deeper, so a job that runs, ends or is missed is always looked into.
        """
        try:
            changed_ns = os.stat(self._paths.job(key).folder).st_mtime_ns
        except OSError:
            return True
        now = time.monotonic()
        changed = changed_ns != tracked.folder_changed_ns or now - tracked.looked > LOOK_S
        tracked.folder_changed_ns = changed_ns
        missed = tracked.ended is not None or tracked.missing is not None
        if not (changed or tracked.running or missed):
            return False
        tracked.looked = now
        return True

    def _result(self, key: str, status: TaskStatus | None) -> Observation | None:
        """Return the end of a job that has a sound result, else None."""
        result = self._observations.result(key, status)
        if result is None or (self._shared and not self._late.has_come(key)):
            return None
        return self._final(key, result)

    def _given_up(self, key: str, end: Observation, copy: CopyPaths | None) -> Observation | None:
        """Return the end of a job without a result, or None as long as there may be one."""
        name = copy.folder.name if copy is not None else None
        if self._shared and not self._late.has_none(key, end, name):
            return None
        return self._final(key, end)

    def _running(
        self, key: str, status: TaskStatus | None, copy: CopyPaths, tracked: TrackedJob
    ) -> Observation:
        """Return the observation of a job whose copy runs, as far as its files tell.

        If the batch system has not known the job for long, this is the end of a lost job.
        """
        tracked.running = True
        answer = self._inquiry.answer
        if status is None and answer is not None and answer.time > copy.made():
            # The copy had begun when the batch system was asked, and the batch system does not
            # know the job. The job may have ended and left the queue, without a result.
            end = self._unknown(key, answer, tracked)
            if end is not None:
                return end
        else:
            tracked.missing = None
        return self._observations.running(key, status, copy)

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
                self._system.fetch_files(*place)
        if copy is not None and self._publish_kept_result(key, copy):
            return self._result(key, status)
        # The node may have written a result that the file system does not show here yet.
        if time.monotonic() - tracked.ended < self.grace_s:
            return None
        return self._given_up(key, self._observations.without_result(key, status, copy), copy)

    def _publish_kept_result(self, key: str, copy: CopyPaths) -> bool:
        """Publish a result that a copy kept to itself; return whether this call published it."""
        # A copy that was preempted does not publish its result, since the batch system may start
        # the job again. Now the batch system says that it will not, so this result counts.
        return copy.result.is_file() and publish(copy.result, self._paths.job(key).result)

    def _unknown(self, key: str, answer: StatusAnswer, tracked: TrackedJob) -> Observation | None:
        """Return the end of a job that the batch system does not know.

        Return None as long as the job may still be found: it may not have arrived in the queue yet,
        or its result may be on the way.
        """
        # Jobs with this time are those about which `poll` asks the archive.
        if tracked.missing is None:
            tracked.missing = time.time()
            tracked.missing_awake = time.monotonic()
            tracked.missing_in = answer.time
        # A batch system may forget at once a job that was cancelled before it started. Only an
        # answer to a question that was asked after the stop shows this.
        stopped = answer.asked_after(self._paths.job(key).stop)
        # After a sleep of this machine, or if its clock was set, the first answer comes late. It
        # must not be the one that declares jobs lost.
        awake_s = time.monotonic() - tracked.missing_awake
        if stopped and awake_s > self.grace_s:
            return self._given_up(key, self._observations.cancelled_unstarted(), None)
        # The archive was asked as well if the answer came to a question that was asked after the
        # first one that lacked the job.
        if awake_s > self.grace_s and answer.time > tracked.missing and self._never_began(key):
            status = self._system.forgotten_unstarted()
            return self._given_up(key, self._observations.without_result(key, status, None), None)
        # Only answers count: while the batch system is silent, `answer.time` stands still, so no
        # job is lost by a silence.
        unknown_s = min(answer.time - tracked.missing, awake_s)
        if unknown_s < LOST_POLLS * poll_interval_s():
            return None
        copy = self._observations.newest_copy(key)
        return self._given_up(key, self._observations.lost(key, duration_text(unknown_s)), copy)

    def _never_began(self, key: str) -> bool:
        """Return whether a job that is missing was cancelled while it waited.

        A batch system may forget such a job at once, but it remembers a job that had started for
        `remembers_s` after its end. So a job that waited less than that ago never started.
        """
        tracked, remembers_s = self._tracked[key], self._system.remembers_s
        known = tracked.waited or self._batches.taken_at(key)
        if remembers_s is None or known is None or tracked.missing_in - known >= remembers_s:
            return False
        # A task that began left files of its first job.
        return not any(map(self._observations.newest_copy, self._batches.task_keys(key)))

    def _final(self, key: str, observation: Observation) -> Observation:
        """Forget a job that has ended, and return its last observation."""
        self._tracked.pop(key, None)
        self._late.forget(key)
        self.end_requests.forget(key)
        self._observations.forget(key)
        return self._observations.with_gpu_seconds(observation)


def _copy_runs(copy: CopyPaths, status: TaskStatus | None, answer: StatusAnswer | None) -> bool:
    """Return whether the newest copy of a job runs, and is not left from an earlier start.

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
