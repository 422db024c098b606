"""The view: the state of a scan that follows from its journal. Every face shows the view.

`fold.py` says what each event changes; this module holds the state and answers what the faces and
the runner ask.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import Any

from jupyter_gridgpu.model import events
from jupyter_gridgpu.model.events import Event
from jupyter_gridgpu.model.fold import COMMANDS as COMMANDS
from jupyter_gridgpu.model.fold import HANDLERS, incomplete
from jupyter_gridgpu.model.growth import Growth
from jupyter_gridgpu.model.idle import IdleNumbers
from jupyter_gridgpu.model.job import END_STATES, STATES
from jupyter_gridgpu.model.line_numbers import takes
from jupyter_gridgpu.model.metrics import objective_value
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.ranking import best_of, pareto_front
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.model.soundness import is_sound
from jupyter_gridgpu.model.variant import PREEMPTIONS_LIMIT
from jupyter_gridgpu.model.variant import VariantView as VariantView

OF_JOBS = (events.JOB_INTENDED, events.JOB_SUBMITTED, events.JOB_OBSERVED, events.JOB_REPORTED)


class ScanView:
    """The state of a scan after the events that were applied so far.

    `rev`, the revision, counts the events that changed something. The `rev` of a variant is the
    revision at which it changed last, so that faces send only the variants that changed.

    The runner asks this object many times a second, and a scan may have 100,000 variants. So what
    the runner needs (`active`, `running`, `waiting`, `newest`) is kept up to date as events come,
    instead of looking through all variants at every question.
    """

    def __init__(self, scan: ScanSpec) -> None:
        """Begin with the state before the first event."""
        self.growth = Growth(scan)
        self.variants: dict[str, VariantView] = {}  # by id
        self.rev = 0
        self.term = 0  # of the last event
        self.seq = 0  # of the last event
        # The event before the last one, if the last one left out numbers and has no checksum.
        self.jumped_from: int | None = None
        self.commands: set[str] = set()  # ids of the commands that were applied
        self.unreadable = 0  # lines of the journal that are damaged
        self.stopped = False
        self.stopped_by: str | None = None  # why a rule has stopped the scan
        self.rule: str | None = None  # which rule that was
        self.paused = False
        self.finished = False
        self.extra_trials = 0  # points that `extend` added
        self.backend_note: str | None = None  # one sentence about a batch system that is not well
        # The versions of the image in which jobs ran, each with the first variant that ran in it.
        self.images: list[tuple[str, str]] = []
        self.started: float | None = None  # seconds since the epoch
        self.ended: float | None = None
        self.slept_s = 0.0  # how long the machine of the runner was suspended while it ran
        self.clock_set_s = 0.0  # by how much its clock of the day was set while it ran
        self.active: dict[str, VariantView] = {}  # those of which the backend may have a job
        self.running: dict[str, VariantView] = {}
        self.points = 0  # points that were proposed; variants of one point differ in their repeat
        self._made: list[VariantView] = []  # by number
        self._idle = IdleNumbers()
        self._recent: dict[str, VariantView] = {}  # by id; the one that changed last is at the end
        self.by: Objective | None = None  # the ranking that was asked for afterwards
        self._front: list[VariantView] | None = None  # the Pareto front, if it is known

    @property
    def scan(self) -> ScanSpec:
        """The spec of the scan, with the space as it is now: `extend` may have added to it."""
        return self.growth.scan

    @property
    def extensions(self) -> list[dict[str, Any]]:
        """The extensions of the space and by own points, as records."""
        return self.growth.records

    @extensions.setter
    def extensions(self, records: list[dict[str, Any]]) -> None:
        self.growth = Growth(self.growth.original, records)

    # Applying events -----------------------------------------------------------------

    def apply(self, event: Event) -> None:
        """Apply one event.

        An event of an older term comes from a runner that has lost its lease and is dropped, as is
        an event that was applied before.
        """
        if event is events.UNREADABLE:
            self.unreadable, self.rev = self.unreadable + 1, self.rev + 1
        if not takes(self, event):
            return
        handler = HANDLERS.get(event.type)
        if handler is None:
            # A later version wrote the event; it may add only events that can be left out.
            return
        sound = is_sound(event.type, event.data)
        self.unreadable += not sound
        touched = handler(self, event.data, event.time) if sound else ()
        if not touched and sound and event.type in OF_JOBS:
            return  # a late word about a job that has ended: nothing has changed
        self.rev += 1
        self._settle(touched, event.type != events.JOB_REPORTED)

    def apply_all(self, items: Iterable[Event]) -> ScanView:
        """Apply events in order and return the view itself."""
        for event in items:
            self.apply(event)
        return self

    def number_for(self, ident: str) -> int:
        """Return the number of the variant `ident`: the next free one, unless it is known."""
        known = self.variants.get(ident)
        if known is None:
            return len(self._made)
        return known.number

    def add(self, variant: VariantView) -> None:
        """Add a variant that was proposed; one with the same id is replaced."""
        self.variants[variant.id] = variant
        self._made[variant.number : variant.number + 1] = [variant]
        self.points = max(self.points, variant.point + 1)

    def adopt(self, variants: Iterable[VariantView]) -> None:
        """Take over the variants of a cached fold as they are; `points` must be set already."""
        self._made = sorted(variants, key=lambda variant: variant.number)
        self.variants = {variant.id: variant for variant in self._made}
        by_change = sorted(self._made, key=lambda variant: variant.rev)
        self._recent = {variant.id: variant for variant in by_change}
        for variant in by_change:
            _keep(self.active, variant, variant.active)
            _keep(self.running, variant, variant.state == "running")
        idle = [variant.number for variant in self._made if self._may_want(variant)]
        self._idle = IdleNumbers(idle)

    def _settle(self, touched: Iterable[VariantView], moved: bool) -> None:
        """Give the variants that an event touched the new revision, and sort them anew.

        `moved` is False for events that change no state. These are nearly all events of a journal,
        and they leave `active`, `running` and `_idle` as they are.
        """
        for variant in touched:
            variant.rev = self.rev
            if moved or variant.state == "done":
                self._front = None
            # A dict keeps the order of insertion: taken out and put in again, the variant is the
            # last one. `changed_since` reads from this end and stops early.
            self._recent.pop(variant.id, None)
            self._recent[variant.id] = variant
            if moved:
                _keep(self.active, variant, variant.active)
                _keep(self.running, variant, variant.state == "running")
                self._idle.put(variant.number, self._may_want(variant))

    # What the runner asks ------------------------------------------------------------

    def wants_job(self, variant: VariantView) -> bool:
        """Return whether a variant is to be given a first or a further attempt now."""
        return self._may_want(variant) and (variant.retry_asked or not self.stopped)

    def _may_want(self, variant: VariantView) -> bool:
        """Return whether a variant is to be given an attempt unless the whole scan is stopped.

        This depends on the variant alone, so that a command to the whole scan leaves `_idle` as it
        is.
        """
        if variant.retry_asked:
            return variant.state in END_STATES
        if variant.stop_asked:
            return False
        if variant.was_preempted:
            # That costs no retry, but it must not go on for ever.
            return variant.preempted_in_row + 1 < PREEMPTIONS_LIMIT
        if variant.state in ("failed", "lost"):
            return variant.attempts - variant.preempted <= self.scan.retries
        return variant.state == "new" and variant.attempts == 0

    def waiting(self) -> Iterator[VariantView]:
        """Yield the variants that are to be given an attempt, in order.

        The cost is that of the variants that are taken, not that of the whole scan.
        """
        for number in self._idle:
            variant = self._made[number]
            if self.wants_job(variant):
                yield variant

    def total(self) -> int:
        """Return how many variants there will be."""
        expected = self.scan.recorded or self.trials() * self.scan.space.repeat_count
        return max(len(self.variants), expected)

    def trials(self) -> int:
        """Return how many points are to be proposed in all."""
        return self.extra_trials + self.growth.own_points + self.scan.points()

    def is_new_image(self, mark: str) -> bool:
        """Return whether no job is known yet that ran in this version of the scan's image."""
        return all(mark != known for known, _ in self.images)

    # What faces ask ------------------------------------------------------------------

    @property
    def state(self) -> str:
        """running, paused, done or stopped; only the lease tells whether the scan is orphaned."""
        if self.finished:
            return "stopped" if self.stopped else "done"
        return "paused" if self.paused else "running"

    def changed_since(self, rev: int) -> list[VariantView]:
        """Return the variants that changed after revision `rev`, in the order of their ids.

        The cost is that of the variants that changed, not that of the whole scan.
        """
        newest_first = reversed(self._recent.values())
        found = list(takewhile(lambda variant: variant.rev > rev, newest_first))
        # Ids have at least four digits: v10000 comes after v9999.
        return sorted(found, key=lambda variant: (len(variant.id), variant.id))

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What ranks the variants: the objectives of the scan, or what the user asked for later."""
        return self.scan.objectives if self.by is None else (self.by,)

    @property
    def objective(self) -> Objective | None:
        """The only objective; None if there is none, or if there are several."""
        return self.objectives[0] if len(self.objectives) == 1 else None

    def rank(self, by: Objective) -> None:
        """Rank the variants by another metric than the scan does."""
        self.by, self._front = by, None

    def value(self, variant: VariantView) -> float | None:
        """Return the value of the only objective for a variant, or None if it has none (yet)."""
        return objective_value(variant.metrics, self.objective)

    def values(self, variant: VariantView) -> tuple[float | None, ...]:
        """Return the value of each objective for a variant."""
        return tuple(objective_value(variant.metrics, one) for one in self.objectives)

    def best(self) -> VariantView | None:
        """Return the finished variant with the best value, or None: also of several objectives."""
        objective = self.objective
        return None if objective is None else best_of(self.variants.values(), objective)

    def pareto(self) -> list[VariantView]:
        """Return the Pareto front of several objectives; it is empty with one objective or none."""
        # Kept, since every face asks after every event, and most events change no result.
        if self._front is None:
            self._front = pareto_front(self.variants.values(), self.objectives)
        return self._front

    def counts(self) -> dict[str, int]:
        """Return how many variants are in each state."""
        counts = dict.fromkeys(STATES, 0)
        for variant in self.variants.values():
            counts[variant.state] += 1
        return counts


def warnings_of(view: ScanView) -> list[str]:
    """Return all that is to be said about a scan beside its note, each as one sentence.

    It begins with what the check of the request found before the scan was started.
    """
    found = list(view.scan.warnings)
    if view.unreadable == 1:
        found.append("1 event of the journal is unreadable.")
    elif view.unreadable:
        found.append(f"{view.unreadable:,} events of the journal are unreadable.")
    if incomplete(view):
        found.append(
            f"The journal has lost a part of the scan; `gridgpu resume {view.scan.name}` looks for"
            " it in the folders of the jobs."
        )
    return found


def given_parameters(view: ScanView) -> list[str]:
    """Return the parameters that any variant has, in the order of the space.

    A parameter that is not active at the first point has its place among the others, too.
    """
    given = {name for variant in view.variants.values() for name in variant.params}
    return [name for name in view.scan.space if name in given]


def _keep(group: dict[str, VariantView], variant: VariantView, belongs: bool) -> None:
    """Put a variant into a group (by id) if it belongs there, else take it out."""
    if belongs:
        group[variant.id] = variant
    else:
        group.pop(variant.id, None)
