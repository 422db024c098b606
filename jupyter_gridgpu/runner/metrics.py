"""The metrics of jobs, from their channel to the journal.

Every reading is read and counted. The journal gets at most one line a second for each job: how many
values each metric has, their extremes, and a few of the values since the line before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_gridgpu.channels.base import Channel
from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.metrics import NAMES_PER_JOB, Reading, Series, thinned
from jupyter_gridgpu.store.paths import CopyPaths, ScanPaths

REPORT_EVERY_S = 1.0
# How long to wait for readings that a job sent, after the job ended and left no metrics file.
LATE_S = 20.0
COPY_EVERY_S = 1.0  # between two looks for a newer copy of a job
NEW_LIMIT = 16  # values of one metric in one event; no face draws more of them


@dataclass
class _Feed:
    """The readings of one copy of a job, as far as they were read.

    `new`, `usage`, `step` and `steps` are what the next report to the journal will hold.
    """

    copy: CopyPaths | None = None
    cursor: Any = None  # of the channel
    next_copy: float = 0.0  # when to look for a newer copy
    series: dict[str, Series] = field(default_factory=dict)
    new: dict[str, list[float]] = field(default_factory=dict)  # values since the last report
    usage: dict[str, float] = field(default_factory=dict)
    step: int | None = None
    steps: int | None = None
    changed: bool = False  # whether there is something to report
    reported: bool = False  # whether a report of this copy is in the journal
    next_report: float = 0.0

    def take(self, reading: Reading) -> None:
        """Count one reading."""
        if reading.usage:
            # A heartbeat comes every few seconds. Its usage is part of the next report, since
            # reports of heartbeats alone would fill the journal.
            self.usage = reading.usage
            return
        self.changed = True
        if reading.step is not None:
            self.step = reading.step
        if reading.steps is not None:
            self.steps = reading.steps
        for name, value in reading.values.items():
            # A notebook may invent a new name for each value. The worker bounds that as well, but
            # a job may have written its file without the worker.
            if name not in self.series and len(self.series) >= NAMES_PER_JOB:
                continue
            self.series.setdefault(name, Series()).add(value)
            self.new.setdefault(name, []).append(value)


class MetricsReader:
    """Reads the metrics of jobs and makes the data of `job.reported` events of them."""

    def __init__(self, paths: ScanPaths, channel: Channel) -> None:
        self._paths = paths
        self._channel = channel
        self._feeds: dict[str, _Feed] = {}
        # Jobs that have ended while readings of them were on their way, and until when to wait.
        self._late: dict[str, tuple[_Feed, float]] = {}

    def read(self, key: str, now: float) -> dict[str, Any] | None:
        """Read the new metrics of a job that runs, and return a report if one is due."""
        feed = self._of_newest_copy(key, now)
        self._read_part(feed)
        if not feed.changed or now < feed.next_report:
            return None
        feed.next_report = now + REPORT_EVERY_S
        return self._report(key, feed)

    def finish(
        self, key: str, notebook: str | None = None, now: float = 0.0
    ) -> dict[str, Any] | None:
        """Read the metrics of a job that has ended to their last line, and forget the job.

        `notebook` is the path, in the scan folder, of the notebook of the copy whose result counts,
        if there is one. Return a report if there is something new. If the job's own files did not
        come back, readings that it sent may still be on their way; then `late` returns the rest.
        """
        feed = self._feeds.pop(key, _Feed())
        own = self._copy_with_file(key, notebook)
        copy = own or feed.copy or self._newest_copy(key)
        feed = self._read_to_end(feed, copy)
        if own is None and self._is_sent(key):
            self._late[key] = feed, now + LATE_S
        return self._report(key, feed) if feed.changed else None

    @property
    def waiting(self) -> bool:
        """Whether metrics of jobs that have ended are still on their way."""
        return bool(self._late)

    def late(self, now: float) -> list[dict[str, Any]]:
        """Return reports of readings that came after their job had ended, once all are here."""
        over = [
            key
            for key, (_, until) in self._late.items()
            if self._channel.settled(key) or now > until
        ]
        reports = []
        for key in over:
            feed, _ = self._late.pop(key)
            report = self._late_report(key, feed)
            if report is not None:
                reports.append(report)
        return reports

    def _late_report(self, key: str, feed: _Feed) -> dict[str, Any] | None:
        """Return the last report of a job, with its notebook if that was sent; None if neither."""
        copy = self._newest_copy(key)
        feed = self._read_to_end(feed, copy)
        if copy is not None and copy.notebook.is_file():
            notebook = copy.notebook.relative_to(self._paths.folder).as_posix()
            return {**self._report(key, feed), "notebook": notebook}
        if feed.changed:
            return self._report(key, feed)
        return None

    # which copy of a job is read -------------------------------------------------

    def _copy_with_file(self, key: str, notebook: str | None) -> CopyPaths | None:
        """Return the copy of an ended job whose own metrics file is to be read.

        This is the copy of `notebook`. Where metrics are sent, a copy counts only if its metrics
        file came back with the job, and the newest such copy is taken if that of `notebook` has
        none. Return None if there is no such copy: then the copy that was read last counts.
        """
        job = self._paths.job(key)
        is_sent = self._is_sent(key)
        if notebook is not None:
            named = job.copy(Path(notebook).parent.name)
            if not is_sent or named.metrics.exists():
                return named
        if not is_sent:
            return None
        found = [copy for copy in job.copies() if copy.metrics.exists()]
        return found[-1] if found else None

    def _is_sent(self, key: str) -> bool:
        """Return whether the metrics of a job are sent, rather than read where it writes them."""
        return self._channel.place(self._paths, key) != self._paths.job(key)

    def _of_newest_copy(self, key: str, now: float) -> _Feed:
        """Return the feed of the newest copy of a job."""
        feed = self._feeds.setdefault(key, _Feed())
        if now >= feed.next_copy:
            copy = self._newest_copy(key)
            if copy != feed.copy:
                # A batch system has started the job again, so the readings of the older copy no
                # longer count.
                feed = self._feeds[key] = _Feed(copy)
            # A job without a copy is looked at in each tick, so that its start is seen at once.
            feed.next_copy = now + COPY_EVERY_S if copy else 0.0
        return feed

    def _newest_copy(self, key: str) -> CopyPaths | None:
        copies = self._channel.place(self._paths, key).copies()
        return copies[-1] if copies else None

    # reading and reporting --------------------------------------------------------

    def _read_to_end(self, feed: _Feed, copy: CopyPaths | None) -> _Feed:
        """Read `copy` to its end and return its feed, which is new if `feed` is of another copy."""
        if copy != feed.copy:
            feed = _Feed(copy)
        while self._read_part(feed):
            pass
        return feed

    def _read_part(self, feed: _Feed) -> bool:
        """Read one bounded part of a copy, and return whether there was one."""
        if feed.copy is None:
            return False
        readings, cursor = self._channel.read(feed.copy, feed.cursor)
        moved = bool(cursor != feed.cursor)
        feed.cursor = cursor
        for reading in readings:
            feed.take(reading)
        return moved

    def _report(self, key: str, feed: _Feed) -> dict[str, Any]:
        """Return the data of a `job.reported` event."""
        metrics = {}
        for name, values in feed.new.items():
            count, low, high, _ = feed.series[name].summary()
            *before, last = thinned(values, NEW_LIMIT)
            # Only the last value is shown as a number. The values before it are drawn in a small
            # picture, for which a few digits are enough.
            metrics[name] = [count, low, high, [*map(numbers.rounded, before), last]]
        data: dict[str, Any] = {
            "key": key,
            "step": feed.step,
            "steps": feed.steps,
            "metrics": metrics,
        }
        if feed.copy is not None and self._is_sent(key):
            data["at"] = _newest_at(feed.copy)
        if feed.usage:
            data["usage"] = feed.usage
        if not feed.reported:
            # The first report of a copy, or of a new runner, counts from the beginning. So the fold
            # must forget what it had, or values would be counted twice.
            data["whole"] = True
        feed.new = {}
        feed.changed = False
        feed.reported = True
        return data


def _newest_at(copy: CopyPaths) -> float | None:
    """Return when the newest reading of a copy was made (seconds since the epoch), if known."""
    try:
        # The channel gives the file the time stamp of its newest reading.
        return round(copy.metrics.stat().st_mtime, 1)
    except OSError:
        return None
