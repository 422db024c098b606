"""From a job's channel to the journal: every reading is read, the journal gets at most one line a second of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jupyter_gridgpu.channels.base import Channel
from jupyter_gridgpu.model.metrics import NAMES_PER_JOB, Series, thinned
from jupyter_gridgpu.store.paths import ScanPaths

REPORT_EVERY_S = 1.0
NEW_LIMIT = 16  # values of one metric in one event; more are thinned, the faces draw no more anyway


@dataclass
class _Feed:
    cursor: Any = None
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
        feed = self._feeds.setdefault(key, _Feed())
        self._advance(key, feed)
        if not feed.changed or now < feed.next_report:
            return None
        feed.next_report = now + REPORT_EVERY_S
        return self._report(key, feed)

    def finish(self, key: str) -> dict[str, Any] | None:
        """Read a job that ended to its last line and forget it."""
        feed = self._feeds.pop(key, _Feed())
        while self._advance(key, feed):
            pass
        return self._report(key, feed) if feed.changed else None

    def _advance(self, key: str, feed: _Feed) -> bool:
        """Read one bounded piece; whether there was one."""
        readings, cursor = self._channel.read(self._paths.job(key), feed.cursor)
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
