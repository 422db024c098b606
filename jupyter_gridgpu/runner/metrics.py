"""From a job's channel to the journal: every reading is read, the journal gets at most one line a second of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_gridgpu.channels.base import Channel
from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.metrics import NAMES_PER_JOB, Series, thinned
from jupyter_gridgpu.store.paths import CopyPaths, ScanPaths

REPORT_EVERY_S = 1.0
LATE_S = 20.0  # for what a job sent that has ended, where its own files did not come back
COPY_EVERY_S = 1.0  # an engine may start a job again, which makes a new copy of it
NEW_LIMIT = 16  # values of one metric in one event; more are thinned, the faces draw no more anyway


@dataclass
class _Feed:
    copy: CopyPaths | None = None
    cursor: Any = None
    next_copy: float = 0.0
    series: dict[str, Series] = field(default_factory=dict)
    new: dict[str, list[float]] = field(default_factory=dict)
    usage: dict[str, float] = field(default_factory=dict)
    step: int | None = None
    steps: int | None = None
    changed: bool = False
    told: bool = False
    next_report: float = 0.0


class MetricsReader:
    """Reads the metrics of active jobs and says what of it belongs into the journal."""

    def __init__(self, paths: ScanPaths, channel: Channel) -> None:
        self._paths = paths
        self._channel = channel
        self._feeds: dict[str, _Feed] = {}
        self._late: dict[
            str, tuple[_Feed, float]
        ] = {}  # jobs that have ended -> until when to wait for the rest

    def read(self, key: str, now: float) -> dict[str, Any] | None:
        """Read on; return the data of a `job.reported` event if one is due."""
        feed = self._newest(key, now)
        self._advance(feed)
        if not feed.changed or now < feed.next_report:
            return None
        feed.next_report = now + REPORT_EVERY_S
        return self._report(key, feed)

    def finish(
        self, key: str, notebook: str | None = None, now: float = 0.0
    ) -> dict[str, Any] | None:
        """Read a job that ended to its last line and forget it; `notebook` is of the copy that counts, if that is known.

        Its own files count. Where none came back, what it sent may still be on its way: see `late`.
        """
        feed = self._feeds.pop(key, _Feed())
        own = self._own(key, notebook)
        copy = own or feed.copy or self._last_copy(key)
        if copy != feed.copy:
            feed = _Feed(copy)
        while self._advance(feed):
            pass
        if own is None and self._sent(key):
            self._late[key] = feed, now + LATE_S
        return self._report(key, feed) if feed.changed else None

    @property
    def waiting(self) -> bool:
        """Whether something of jobs that have ended is waited for."""
        return bool(self._late)

    def late(self, now: float) -> list[dict[str, Any]]:
        """Return what came of jobs after they had ended, once all of it is here."""
        over = [
            key
            for key, (_, until) in self._late.items()
            if self._channel.settled(key) or now > until
        ]
        return [data for key in over if (data := self._last(key, self._late.pop(key)[0]))]

    def _last(self, key: str, feed: _Feed) -> dict[str, Any] | None:
        copy = self._last_copy(key)
        if copy != feed.copy:
            feed = _Feed(copy)
        while self._advance(feed):
            pass
        there = copy is not None and copy.notebook.is_file()
        if not there or copy is None:
            return self._report(key, feed) if feed.changed else None
        return {
            **self._report(key, feed),
            "notebook": copy.notebook.relative_to(self._paths.folder).as_posix(),
        }

    def _own(self, key: str, notebook: str | None) -> CopyPaths | None:
        """The copy of an ended job whose own metrics file is here: the one that counts, else the newest."""
        job, sent = self._paths.job(key), self._sent(key)
        named = job.copy(Path(notebook).parent.name) if notebook else None
        if named is not None and (not sent or named.metrics.exists()):
            return named
        found = [copy for copy in job.copies() if copy.metrics.exists()] if sent else []
        return found[-1] if found else None

    def _sent(self, key: str) -> bool:
        """Whether what a job reports is sent, rather than read where it writes."""
        return self._channel.place(self._paths, key) != self._paths.job(key)

    def _newest(self, key: str, now: float) -> _Feed:
        """The feed of the job's newest copy; a copy that takes over is read from its beginning."""
        feed = self._feeds.setdefault(key, _Feed())
        if now >= feed.next_copy:
            copy = self._last_copy(key)
            if copy != feed.copy:
                feed = self._feeds[key] = _Feed(copy)
            feed.next_copy = now + COPY_EVERY_S if copy else 0.0
        return feed

    def _last_copy(self, key: str) -> CopyPaths | None:
        copies = self._channel.place(self._paths, key).copies()
        return copies[-1] if copies else None

    def _advance(self, feed: _Feed) -> bool:
        """Read one bounded piece; whether there was one."""
        if feed.copy is None:
            return False
        readings, cursor = self._channel.read(feed.copy, feed.cursor)
        moved, feed.cursor = bool(cursor != feed.cursor), cursor
        for reading in readings:
            if reading.usage:  # goes along with the next report, and never delays one
                feed.usage = reading.usage
                continue
            feed.changed = True
            feed.step = reading.step if reading.step is not None else feed.step
            feed.steps = reading.steps if reading.steps is not None else feed.steps
            for name, value in reading.values.items():
                if name not in feed.series and len(feed.series) >= NAMES_PER_JOB:
                    continue
                feed.series.setdefault(name, Series()).add(value)
                feed.new.setdefault(name, []).append(value)
        return moved

    def _report(self, key: str, feed: _Feed) -> dict[str, Any]:
        metrics = {}
        for name, values in feed.new.items():
            n, low, high, _ = feed.series[name].summary()
            *new, last = thinned(values, NEW_LIMIT)
            # The journal spells what is not finite. What stands before the last value is for small pictures only.
            metrics[name] = [n, low, high, [*map(numbers.shown, new), last]]
        data: dict[str, Any] = {
            "key": key,
            "step": feed.step,
            "steps": feed.steps,
            "metrics": metrics,
        }
        if feed.copy is not None and self._sent(key):
            data["at"] = _newest_at(feed.copy)
        if feed.usage:
            data["usage"] = feed.usage
        if not feed.told:
            data["whole"] = True
        feed.new, feed.changed, feed.told = {}, False, True
        return data


def _newest_at(copy: CopyPaths) -> float | None:
    """When the newest reading was made that has come of a copy."""
    try:
        return round(copy.metrics.stat().st_mtime, 1)
    except OSError:
        return None
