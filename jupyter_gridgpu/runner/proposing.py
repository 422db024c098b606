"""Which variants a scan gets: points of the sampler, given points, and repeats."""

from __future__ import annotations

import contextlib
from functools import cached_property

from jupyter_gridgpu.backends.base import Backend
from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model import events
from jupyter_gridgpu.model.job import job_key, variant_id
from jupyter_gridgpu.model.program import given_by, meant_by, point_key
from jupyter_gridgpu.model.records import VariantProposed
from jupyter_gridgpu.runner import policy
from jupyter_gridgpu.runner.driven_scan import DrivenScan
from jupyter_gridgpu.samplers.base import Proposal, Sampler, Trial
from jupyter_gridgpu.samplers.untried import UntriedPoints
from jupyter_gridgpu.store import earlier
from jupyter_gridgpu.store import points as points_file
from jupyter_gridgpu.store.paths import read_json

PROPOSE_AT_ONCE = 1000  # points of a sampler that does not learn
ADAPTIVE_AT_ONCE = 10  # points under way, if neither user nor backend limits the jobs


class PointProposer:
    """Asks the sampler for points and makes variants of them."""

    def __init__(self, scan: DrivenScan, backend: Backend, sampler: Sampler) -> None:
        self._scan = scan
        self._backend = backend
        self._sampler = sampler
        self._repeats = 1  # variants of one point
        if scan.spec.space.repeats:
            self._repeats = scan.spec.space.repeats[1]

    def propose(self) -> None:
        """Record as many new variants as can be used now.

        Where the constraints of the space leave next to nothing, the scan is stopped instead.
        """
        try:
            self._propose()
        except SpaceError as error:
            text = str(error).rstrip(".")
            # The text goes on within a sentence.
            why = f"there are no more points: {text[:1].lower()}{text[1:]}"
            rule = {"rule": events.NO_POINTS, "why": why}
            self._scan.record((events.RULE_MET, rule), durable=True)

    def _propose(self) -> None:
        view, spec = self._scan.view, self._scan.spec
        if view.stopped:
            return
        given = policy.missing_points(view, self._scan.paths.points)
        self._scan.record(*((events.VARIANT_PROPOSED, point) for point in given))
        if spec.recorded:
            return
        self._propose_missing_variants()
        self._propose_missing_repeats()
        index = view.points
        count = min(view.trials() - index, self.allowed_points())
        if count <= 0:
            return
        history = self._history()
        # The sampler's own points are counted from 0, whatever was tried before them.
        proposals = self._untried.propose(history, count, spec.seed, index - spec.own_points)
        self._scan.record(
            *(
                self._proposed(point, repeat, proposal)
                for point, proposal in enumerate(proposals, index)
                for repeat in range(self._repeats)
            )
        )

    @cached_property
    def _untried(self) -> Sampler:
        """The sampler of the points that are not given."""
        spec = self._scan.spec
        if not spec.own_points or spec.trials is not None:
            return self._sampler
        # A grid has them all: what the user has put first is not run twice.
        given = points_file.read(self._scan.paths.points)
        chosen = (spec.space.point(meant_by(point["params"])).chosen for point in given)
        return UntriedPoints(self._sampler, frozenset(map(point_key, chosen)))

    def _history(self) -> list[Trial]:
        """Return all trials so far, those of earlier scans first."""
        # The history of a scan with thousands of points is long, and not every sampler reads it.
        if not self._sampler.adaptive:
            return []
        return [*self._earlier, *policy.history(self._scan.view)]

    @cached_property
    def _earlier(self) -> list[Trial]:
        """The results of earlier scans that the scan was made with."""
        spec = self._scan.spec
        if not spec.warm_start:
            return []
        return policy.earlier_trials(earlier.read(self._scan.paths.earlier, spec))

    def allowed_points(self) -> int:
        """Return how many points can be proposed now."""
        if not self._sampler.adaptive:
            return PROPOSE_AT_ONCE
        # A sampler that learns gives a point as late as possible, when its job can start at once.
        # Each result that comes before makes the point better.
        view = self._scan.view
        # Where a job may wait for days, points are proposed in generations: all results of one
        # generation are known before the next generation goes into the queue.
        if view.active and self._backend.capabilities.by_generation:
            return 0
        slots = self._backend.slots() or self._scan.spec.parallel or ADAPTIVE_AT_ONCE
        free = slots - len(view.active) - sum(1 for _ in view.waiting())
        if free <= 0:
            return 0
        # The number is rounded up: a point whose repeats do not all fit keeps every slot busy.
        return -(-free // self._repeats)

    def _propose_missing_repeats(self) -> None:
        """Record the repeats of the last point that a killed runner had not written yet."""
        missing = policy.missing_repeats(self._scan.view)
        self._scan.record(
            *(
                self._proposed(variant.point, repeat, Proposal(variant.params, variant.attrs))
                for variant, repeat in missing
            )
        )

    def _propose_missing_variants(self) -> None:
        """Record again the variants whose first record in the journal is damaged."""
        for point, repeat in policy.missing_variants(self._scan.view):
            proposal = self._known_proposal(point, repeat)
            if proposal is not None:
                self._scan.record(self._proposed(point, repeat, proposal))

    def _known_proposal(self, point: int, repeat: int) -> Proposal | None:
        """Return the proposal of a variant, from what its job or its repeats still tell."""
        view, spec = self._scan.view, self._scan.spec
        key = job_key(variant_id(point * self._repeats + repeat + 1), 1)
        body = read_json(self._scan.paths.job(key).spec)
        params = body.get("params") if isinstance(body, dict) else None
        with contextlib.suppress(SpaceError):
            if isinstance(params, dict):
                return Proposal(spec.space.point(given_by(params)).chosen)
        for variant in view.variants.values():
            if variant.point == point:
                return Proposal(variant.params, variant.attrs)
        if point < spec.own_points:
            return self._own_point(point)
        # No job was sent, so nothing is lost if a sampler that learns gives another point now.
        history = self._history()
        number = point - spec.own_points
        return next(iter(self._untried.propose(history, 1, spec.seed, number)), None)

    def _own_point(self, point: int) -> Proposal | None:
        """Return a point of the user's own."""
        for given in points_file.read(self._scan.paths.points):
            if given["point"] == point:
                return Proposal(given["params"])
        return None

    def _proposed(self, point: int, repeat: int, proposal: Proposal) -> tuple[str, VariantProposed]:
        """Return the event that makes a variant of a point and a repeat, both counted from 0."""
        space = self._scan.spec.space
        return events.VARIANT_PROPOSED, {
            # The id follows from point and repeat alone, so that a runner that goes on after a
            # crash gives the same id to the same variant.
            "variant": variant_id(point * self._repeats + repeat + 1),
            "point": point,
            "repeat": repeat,
            # A parameter that is not active has no value here: the notebook's own one stays.
            "params": space.complete(proposal.params, repeat),
            "attrs": proposal.attrs,
        }
