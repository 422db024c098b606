"""The fold: a scan as its journal tells it. Every face shows this and nothing else."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile
from typing import Any

from jupyter_gridgpu.model import events, numbers
from jupyter_gridgpu.model.events import Event
from jupyter_gridgpu.model.job import END_STATES, STATES, allowed, split_key
from jupyter_gridgpu.model.metrics import Series, objective_value
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.model.variant import VariantView as VariantView

ENDED_FOR_ESTIMATE = 3
_FLOAT = frozenset({float})
_OBSERVED = (
    "reason",
    "message",
    "cell",
    "where",
    "gpu",
    "node",
    "link",
    "started",
    "ended",
    "notebook",
    "peak_mb",
)


class ScanView:
    """The state of a scan after the events applied so far.

    `rev` counts changes; a variant's `rev` is that of its last one, so that faces send only what changed.
    """

    def __init__(self, scan: ScanSpec) -> None:
        self.scan = scan
        self.variants: dict[str, VariantView] = {}
        self.rev = 0
        self.term = 0
        self.seq = 0
        self.commands: set[str] = set()  # ids already applied
        self.stopped = False
        self.paused = False
        self.finished = False
        self.extra_trials = 0
        self.engine_note: str | None = None
        self.started: float | None = None
        self.ended: float | None = None
        self.active: dict[str, VariantView] = {}  # those of which a job may exist in the engine
        self.running: dict[str, VariantView] = {}
        self.points = 0  # that were proposed; the variants of one point differ in their repeat only
        self.newest: list[VariantView] = []  # the variants of the last point
        self._made: list[VariantView] = []  # by number
        self._idle: list[int] = []  # numbers of those that may be waiting for a job, in order
        self._touched: list[VariantView] = []
        self._recent: dict[str, VariantView] = {}  # the variants, the one changed last at the end

    def apply(self, event: Event) -> None:
        """Fold one event in. Events of an older term come from a runner that lost its lease and are dropped."""
        if event.term < self.term or event.seq <= self.seq:
            return
        self.term, self.seq = event.term, event.seq
        handler = _HANDLERS.get(event.type)
        if handler is not None:
            self.rev += 1
            handler(self, event)
            self._settle(event.type != events.JOB_REPORTED)

    def _settle(self, moved: bool) -> None:
        """Enter what an event touched as changed; unless it `moved`, no state did."""
        for variant in self._touched:
            variant.rev = self.rev
            self._recent.pop(variant.id, None)
            self._recent[variant.id] = variant
            if not moved:
                continue
            _keep(self.active, variant, variant.active)
            _keep(self.running, variant, variant.state == "running")
            self._rank(variant)
        self._touched.clear()

    def _rank(self, variant: VariantView) -> None:
        """Enter a variant into the line of those without a job, or take it out."""
        at, wants = bisect_left(self._idle, variant.number), self._may_want(variant)
        there = self._idle[at : at + 1] == [variant.number]
        if wants and not there:
            self._idle.insert(at, variant.number)
        elif there and not wants:
            del self._idle[at]

    def apply_all(self, items: Iterable[Event]) -> ScanView:
        for event in items:
            self.apply(event)
        return self

    def adopt(self, variants: Iterable[VariantView]) -> None:
        """Take over variants of a fold that was kept, as they are; `points` is set already."""
        self._made = sorted(variants, key=lambda variant: variant.number)
        self.variants = {variant.id: variant for variant in self._made}
        self.newest = [variant for variant in self._made if variant.point == self.points - 1]
        self._recent = {
            variant.id: variant for variant in sorted(self._made, key=lambda variant: variant.rev)
        }
        for variant in self._recent.values():
            _keep(self.active, variant, variant.active)
            _keep(self.running, variant, variant.state == "running")
        self._idle = [variant.number for variant in self._made if self._may_want(variant)]

    # what faces and the runner ask -------------------------------------------------

    def wants_job(self, variant: VariantView) -> bool:
        """Whether a variant is to be given a (further) attempt."""
        return self._may_want(variant) and (variant.retry_asked or not self.stopped)

    def _may_want(self, variant: VariantView) -> bool:
        if variant.retry_asked:
            return variant.state in END_STATES
        if variant.stop_asked:
            return False
        if variant.state in ("failed", "lost"):
            return variant.attempts <= self.scan.retries
        return variant.state == "new" and variant.attempts == 0

    def waiting(self) -> Iterator[VariantView]:
        """Those that are to be given an attempt, in order; costs what is taken of them."""
        return (variant for number in self._idle if self.wants_job(variant := self._made[number]))

    @property
    def state(self) -> str:
        """running, paused, done or stopped; whether it is orphaned only the lease can tell."""
        if self.finished:
            return "stopped" if self.stopped else "done"
        return "paused" if self.paused else "running"

    def since(self, rev: int) -> list[VariantView]:
        """Return the variants that changed after a revision, in the order of their ids' making; costs what they are."""
        found = list(takewhile(lambda variant: variant.rev > rev, reversed(self._recent.values())))
        return sorted(found, key=lambda variant: (len(variant.id), variant.id))

    def value(self, variant: VariantView) -> float | None:
        return objective_value(variant.metrics, self.scan.objective)

    def best(self) -> VariantView | None:
        """The finished variant with the best objective; None without an objective or a finished variant."""
        objective, best = self.scan.objective, None
        if objective is None:
            return None
        for variant in self.variants.values():
            if variant.state == "done" and objective.better(
                self.value(variant), self.value(best) if best else None
            ):
                best = variant
        return best

    def counts(self) -> dict[str, int]:
        counts = dict.fromkeys(STATES, 0)
        for variant in self.variants.values():
            counts[variant.state] += 1
        return counts

    def total(self) -> int:
        """How many variants there are to be."""
        if self.scan.recorded:
            return max(len(self.variants), self.scan.recorded)
        repeats = self.scan.space.repeats
        return max(
            len(self.variants),
            self.scan.total() + self.extra_trials * (repeats[1] if repeats else 1),
        )

    def trials(self) -> int:
        """How many points are to be proposed in all."""
        return self.extra_trials + (
            self.scan.trials if self.scan.trials is not None else self.scan.space.grid_size() or 0
        )

    def seconds_left(self, now: float) -> float | None:
        """Estimate the time to the end from the jobs that ended, or None while fewer than three have."""
        ended = [
            v.ended - v.started
            for v in self.variants.values()
            if v.state == "done" and v.ended and v.started
        ]
        if len(ended) < ENDED_FOR_ESTIMATE or self.finished or not self.started:
            return None
        mean = sum(ended) / len(ended)
        running = [
            now - v.started for v in self.variants.values() if v.state == "running" and v.started
        ]
        waiting = self.total() - sum(
            1 for v in self.variants.values() if v.state in END_STATES or v.state == "running"
        )
        work = waiting * mean + sum(max(mean - spent, 0.0) for spent in running)
        return work / max(len(running), 1)

    def note(self) -> str | None:
        """One sentence for the whole scan: an engine that is silent, an objective that no finished variant reported."""
        if self.engine_note and not self.finished:
            return self.engine_note
        objective = self.scan.objective
        if objective is None:
            return None
        done = [v for v in self.variants.values() if v.state == "done"]
        silent = next((v for v in done if objective.metric not in v.metrics), None)
        if silent is None:
            return None
        seen = ", ".join(sorted(silent.metrics)[:8]) or "nothing"
        return f"{silent.id} ended without reporting {objective.metric}, the objective; it reported {seen}."

    # one handler per type of event ---------------------------------------------------

    def _touch(self, variant: VariantView) -> None:
        self._touched.append(variant)

    def _job(self, event: Event) -> VariantView | None:
        """The variant of the event's job, if that is its latest one."""
        variant_id, attempt = split_key(event.data["key"])
        variant = self.variants.get(variant_id)
        if variant is None or variant.attempts != attempt:
            return None
        self._touch(variant)
        return variant

    def _started(self, event: Event) -> None:
        self.started = self.started or event.time
        self.finished = False

    def _proposed(self, event: Event) -> None:
        data = event.data
        known = self.variants.get(data["variant"])
        number = known.number if known else len(self._made)
        variant = VariantView(
            data["variant"],
            data["point"],
            data["repeat"],
            numbers.loose(data["params"]),
            data.get("attrs", {}),
            number,
        )
        self.variants[variant.id] = variant
        self._made[number : number + 1] = [variant]
        if variant.point >= self.points:
            self.points, self.newest = variant.point + 1, []
        if variant.point == self.points - 1:
            self.newest.append(variant)
        self._touch(variant)

    def _intended(self, event: Event) -> None:
        variant_id, attempt = split_key(event.data["key"])
        if variant := self.variants.get(
            variant_id
        ):  # one whose line cannot be read has no jobs either
            variant.new_attempt(attempt)
            self._touch(variant)

    def _submitted(self, event: Event) -> None:
        if variant := self._job(event):
            variant.submitted, variant.engine_id, variant.queued = (
                True,
                event.data.get("engine_id"),
                event.time,
            )
            if variant.state == "new":
                variant.state = "queued"

    def _observed(self, event: Event) -> None:
        variant, state = self._job(event), event.data["state"]
        if variant is None or not (
            allowed(variant.state, state) or variant.state == state not in END_STATES
        ):
            return
        if state != variant.state:
            variant.message = None  # why it waited is no news once it runs
            if state == "queued":
                variant.started = None
        variant.state = state
        for name in _OBSERVED:
            if event.data.get(name) is not None:
                setattr(variant, name, event.data[name])
        variant.gpu_s += event.data.get("gpu_s") or 0.0

    def _reported(self, event: Event) -> None:
        variant = self._job(event)
        if variant is None:
            return
        if event.data.get(
            "whole"
        ):  # a runner that reads the job's metrics from their beginning again
            variant.metrics.clear()
        variant.step = event.data.get("step", variant.step)
        variant.steps = event.data.get("steps", variant.steps)
        variant.usage = event.data.get("usage", variant.usage)
        variant.reported = event.data.get("at", variant.reported)
        variant.notebook = variant.notebook or event.data.get("notebook")
        variant.peak_mb = max(variant.peak_mb or 0.0, variant.usage.get("memory_mb", 0.0)) or None
        for name, (n, low, high, new) in event.data["metrics"].items():
            series = variant.metrics.get(name)
            if series is None:
                series = variant.metrics[name] = Series()
            series.keep(
                new if _FLOAT.issuperset(map(type, new)) else [_number(value) for value in new]
            )
            series.n = n
            series.min = low if type(low) is float else numbers.decode(low)
            series.max = high if type(high) is float else numbers.decode(high)

    def _command(self, event: Event) -> None:
        self.commands.add(event.data["id"])
        chosen = event.data.get("variants")
        variants = (
            [self.variants[i] for i in chosen if i in self.variants] if chosen is not None else None
        )
        _COMMANDS[event.data["action"]](self, variants, event.data)

    def _noted(self, event: Event) -> None:
        self.engine_note = event.data.get("message")

    def _finished(self, event: Event) -> None:
        self.finished, self.ended = True, event.time

    # commands: what was asked, in the journal's order ---------------------------------

    def _stop(self, variants: list[VariantView] | None, data: dict[str, Any]) -> None:
        if variants is None:
            self.stopped, self.paused = True, False
        for variant in list(self.variants.values()) if variants is None else variants:
            variant.retry_asked = False
            if variant.state in ("done", "cancelled"):
                continue
            variant.stop_asked = True  # of one that failed: it is not tried again
            if variant.attempts == 0:
                variant.state, variant.message = "cancelled", "Stopped before it started."
            self._touch(variant)

    def _retry(self, variants: list[VariantView] | None, data: dict[str, Any]) -> None:
        self.finished = self.paused = False
        if variants is None:
            self.stopped = False
            variants = [
                v
                for v in self.variants.values()
                if v.state in ("failed", "lost", "cancelled") or v.stop_asked
            ]
        for variant in variants:
            if variant.state in END_STATES:
                variant.retry_asked, variant.stop_asked = True, False
            elif variant.stop_asked:  # it is still ending; then it gets its new attempt
                variant.retry_asked = True
            self._touch(variant)

    def _pause(self, variants: list[VariantView] | None, data: dict[str, Any]) -> None:
        self.paused = not self.finished

    def _resume(self, variants: list[VariantView] | None, data: dict[str, Any]) -> None:
        self.paused = False

    def _extend(self, variants: list[VariantView] | None, data: dict[str, Any]) -> None:
        self.extra_trials += int(data["trials"])
        self.stopped = self.finished = self.paused = False


def _keep(those: dict[str, VariantView], variant: VariantView, there: bool) -> None:
    if there:
        those[variant.id] = variant
    else:
        those.pop(variant.id, None)


def _number(value: Any) -> float:
    number = numbers.decode(value)
    return math.nan if number is None else number


_HANDLERS: dict[str, Callable[[ScanView, Event], None]] = {
    events.RUNNER_STARTED: ScanView._started,
    events.VARIANT_PROPOSED: ScanView._proposed,
    events.JOB_INTENDED: ScanView._intended,
    events.JOB_SUBMITTED: ScanView._submitted,
    events.JOB_OBSERVED: ScanView._observed,
    events.JOB_REPORTED: ScanView._reported,
    events.BACKEND_NOTED: ScanView._noted,
    events.COMMAND_APPLIED: ScanView._command,
    events.SCAN_FINISHED: ScanView._finished,
}
_COMMANDS: dict[str, Callable[[ScanView, list[VariantView] | None, dict[str, Any]], None]] = {
    "stop": ScanView._stop,
    "retry": ScanView._retry,
    "pause": ScanView._pause,
    "resume": ScanView._resume,
    "extend": ScanView._extend,
}
COMMANDS = tuple(_COMMANDS)
