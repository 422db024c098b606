"""From a job's channel to the journal: every reading is read, the journal gets at most one line a second of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_gridgpu.channels.base import Channel
from jupyter_gridgpu.model.metrics import NAMES_PER_JOB, Series, thinned
from jupyter_gridgpu.store.paths import CopyPaths, ScanPaths

REPORT_EVERY_S = 1.0
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

    def read(self, key: str, now: float) -> dict[str, Any] | None:
        """Read on; return the data of a `job.reported` event if one is due."""
        feed = self._newest(key, now)
        self._advance(feed)
        if not feed.changed or now < feed.next_report:
            return None
        feed.next_report = now + REPORT_EVERY_S
        return self._report(key, feed)

    def finish(self, key: str, notebook: str | None = None) -> dict[str, Any] | None:
        """Read a job that ended to its last line and forget it; `notebook` is of the copy that counts, if that is known."""
        feed = self._feeds.pop(key, _Feed())
        copy = self._paths.job(key).copy(Path(notebook).parent.name) if notebook else feed.copy or self._last_copy(key)
        if copy != feed.copy:
            feed = _Feed(copy)
        while self._advance(feed):
            pass
        return self._report(key, feed) if feed.changed else None

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
        copies = self._paths.job(key).copies()
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
            metrics[name] = [n, low, high, thinned(values, NEW_LIMIT)]  # the journal spells what is not finite
        data: dict[str, Any] = {"key": key, "step": feed.step, "steps": feed.steps, "metrics": metrics}
        if feed.usage:
            data["usage"] = feed.usage
        if not feed.told:
            data["whole"] = True
        feed.new, feed.changed, feed.told = {}, False, True
        return data
