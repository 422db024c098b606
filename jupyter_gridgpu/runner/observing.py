"""Asks the backend what became of its jobs, and records what is new."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import cast

from jupyter_gridgpu.backends.base import Backend
from jupyter_gridgpu.backends.missing_variables import with_hint
from jupyter_gridgpu.channels.base import Channel
from jupyter_gridgpu.model import events
from jupyter_gridgpu.model.job import END_STATES, Observation, may_follow
from jupyter_gridgpu.model.records import JobObserved
from jupyter_gridgpu.model.variant import PREEMPTIONS_LIMIT, VariantView
from jupyter_gridgpu.runner.driven_image import DrivenImage
from jupyter_gridgpu.runner.driven_scan import DrivenScan
from jupyter_gridgpu.runner.log import say
from jupyter_gridgpu.runner.metrics import MetricsReader
from jupyter_gridgpu.store.manifest import ManifestWriter

FILES_A_SECOND = 400  # at most so many metrics files are looked at: they may be on a network
METRICS_EVERY_S = 1.0  # the longest pause between two looks
# Reasons of a failure that came before the stop was heard; the first cause counts.
FIRST_CAUSES = ("timeout", "oom", "notebook")
TAKEN_BACK = "Taken back, since the scan was stopped."
# The fields of an observation that may be news of a job whose state stays the same.
NEWS = ("notebook", "message", "where", "node", "gpu", "link")


class JobObserver:
    """Records the metrics of jobs, their states, and the digests of what they left."""

    def __init__(self, scan: DrivenScan, backend: Backend, channel: Channel) -> None:
        self._scan = scan
        self._backend = backend
        self._channel = channel
        self._metrics = MetricsReader(scan.paths, channel)
        self.manifest = ManifestWriter(scan.paths)
        self._image = DrivenImage(scan)
        self._next_poll = 0.0
        self._next_metrics = 0.0

    @property
    def waiting(self) -> bool:
        """Whether metrics of jobs that have ended are still on their way."""
        return self._metrics.waiting

    def read_metrics(self, now: float) -> None:
        """Record what jobs have reported, if it is time to look."""
        if now < self._next_metrics:
            return
        view = self._scan.view
        running = [variant.key for variant in view.running.values()]
        # Each look takes one stat for each job, so with thousands of jobs there are fewer looks.
        self._next_metrics = now + min(len(running) / FILES_A_SECOND, METRICS_EVERY_S)
        self._channel.follow(variant.key for variant in view.active.values())
        reports = self._metrics.late(now)
        for key in running:
            report = self._metrics.read(key, now)
            if report is not None:
                reports.append(report)
        self._scan.record(*((events.JOB_REPORTED, report) for report in reports))

    def due(self, now: float) -> bool:
        """Return whether it is time to poll; the backend's `poll_s` sets the interval."""
        return now >= self._next_poll

    def poll(self, now: float) -> str | None:
        """Ask the backend about all jobs that it has, and record what is news.

        Returns one sentence for the user if the backend or the channel is in trouble, else None.
        """
        self._next_poll = now + self._backend.poll_s
        jobs = {
            variant.key: variant for variant in self._scan.view.active.values() if variant.submitted
        }
        if not jobs:
            return None
        for key, seen in self._backend.poll(backend_ids(jobs.values())).items():
            self.observed(jobs[key], seen, now)
        return self._backend.notice() or self._channel.notice()

    def observed(self, variant: VariantView, seen: Observation, now: float) -> None:
        """Record what was seen of a variant's latest job, if it is news."""
        if not is_news(variant, seen):
            return
        key = variant.key
        shown = as_preempted(variant, as_stopped(variant, seen, time.time()))
        # An empty message takes away the old one, and a new state begins without one.
        if seen.state != variant.state:
            shown = replace(shown, message=shown.message or None)
        if shown.state == "failed":
            shown = replace(shown, message=with_hint(shown.message, self._scan.spec))
        observation = (events.JOB_OBSERVED, observed_data(key, shown))
        if seen.state not in END_STATES:
            self._scan.record(observation)
            if seen.state == "running":
                self._image.look(key)
            return
        if seen.state != "done":
            # In a folder that was moved just now, every job looks as if it was gone.
            self._scan.require_folder()
        # The files of the job are brought here before its end is in the journal: whoever sees that
        # a job is done finds its notebook, and its last metrics, in the same moment.
        self._backend.collect(key, variant.backend_id or key)
        report = self._metrics.finish(key, seen.notebook, now)
        if report is not None:
            self._scan.record((events.JOB_REPORTED, report), observation, durable=True)
        else:
            self._scan.record(observation, durable=True)
        self._image.look(key)
        self.record_digests([key])

    def record_digests(self, keys: Iterable[str]) -> None:
        """Write the digests of what ended jobs left into the manifest."""
        try:
            self.manifest.add(keys)
        except OSError as error:
            # The scan goes on. The next runner writes the digests that are missing.
            say(f"The manifest was not written: {error.strerror}.")

    def end_unwanted(self) -> None:
        """Ask the backend to end the jobs that a user has stopped.

        The request is repeated in each tick until they have ended, since a request may be lost.
        """
        unwanted = [
            variant
            for variant in self._scan.view.active.values()
            if variant.stop_asked and variant.submitted
        ]
        if unwanted:
            self._backend.cancel(backend_ids(unwanted))


def backend_ids(variants: Iterable[VariantView]) -> dict[str, str]:
    """Return the backend's id of the latest job of each variant, by the key of the job."""
    return {variant.key: variant.backend_id or variant.key for variant in variants}


def is_news(variant: VariantView, seen: Observation) -> bool:
    """Return whether an observation says more of a job than is known."""
    if may_follow(variant.state, seen.state):
        return True
    if seen.state != variant.state or seen.state in END_STATES:
        return False
    # An empty message is news only where there was one.
    return any(getattr(seen, name) not in (None, getattr(variant, name) or "") for name in NEWS)


def as_stopped(variant: VariantView, seen: Observation, now: float) -> Observation:
    """Return an observation of a job that the user has stopped, as the user shall read it.

    Such a job usually fails, since its cell is interrupted. It is shown as cancelled instead, with
    a message that says when it was stopped and what is kept. Every other observation is returned as
    it is.
    """
    stopped = variant.stop_asked and seen.state in ("failed", "cancelled")
    if seen.state == "failed" and seen.reason in FIRST_CAUSES:
        return seen
    # A job in the state 'new' was never sent; its observation says that already.
    if not stopped or variant.state == "new":
        return seen
    if variant.taken_back:
        return replace(seen, state="cancelled", reason=None, message=TAKEN_BACK)
    message = f"Stopped by you at {time.strftime('%H:%M', time.localtime(now))}."
    if variant.step:
        message += f" Epochs up to {variant.step} are kept."
    return replace(seen, state="cancelled", reason="user", message=message)


def as_preempted(variant: VariantView, seen: Observation) -> Observation:
    """Return an observation, which says of the last preemption that is allowed that it is the last.

    Every other observation is returned as it is.
    """
    if (seen.state, seen.reason) != ("failed", "preempted"):
        return seen
    times = variant.preempted_in_row + 1
    if times < PREEMPTIONS_LIMIT:
        return seen
    more = f"Preempted {times} times in a row, it is not sent again."
    return replace(seen, message=f"{seen.message} {more}" if seen.message else more)


def observed_data(key: str, seen: Observation) -> JobObserved:
    """Return the data of the event `job.observed`, without the fields that are not known or 0."""
    known = {name: value for name, value in asdict(seen).items() if value not in (None, 0.0)}
    return cast(JobObserved, {"key": key, **known})
