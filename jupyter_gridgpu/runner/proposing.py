"""Which variants a scan gets: points of the sampler, given points, and repeats."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import cached_property
from itertools import islice

from jupyter_gridgpu import samplers
from jupyter_gridgpu.backends.base import Backend
from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model import events
from jupyter_gridgpu.model.job import job_key
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
MISSING_AT_ONCE = 10_000  # variants whose point is known
ADAPTIVE_AT_ONCE = 10  # points under way, if neither user nor backend limits the jobs


class PointProposer:
    """Asks the sampler for points and makes variants of them."""

    def __init__(self, scan: DrivenScan, backend: Backend, sampler: Sampler) -> None:
        self._scan = scan
        self._backend = backend
        self._sampler = sampler
        self._space = scan.spec.space  # that the sampler knows
        self._untried: Sampler | None = None  # the sampler of the points that are not given

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
        if spec.space is not self._space:
            self._sampler, self._space, self._untried = samplers.load_for(spec), spec.space, None
        if self._untried is None:
            self._untried = self._without_given(self._sampler)
        missing = policy.missing_variants(view)
        lost = self._propose_missing(self._untried, missing[:MISSING_AT_ONCE])
        if len(missing) > MISSING_AT_ONCE:
            return  # ids are given in the order in which variants are due
        left = view.trials() - view.points
        points = self._given_points(left) or self._sampled_points(self._untried, left)
        self._record(view.points, points, lost)

    def _given_points(self, left: int) -> list[Proposal]:
        """Return the next points by which the user extended the scan: they need no results."""
        own = self._scan.view.growth.own_from(self._scan.view.points)
        return [Proposal(params) for params in own[: max(min(left, PROPOSE_AT_ONCE), 0)]]

    def _sampled_points(self, sampler: Sampler, left: int) -> list[Proposal]:
        """Return the next points of the sampler, `left` at most."""
        view = self._scan.view
        own = view.growth.own_begins(view.points)
        if own is not None:
            # Points before them were lost with lines of the journal.
            left = min(left, own - view.points)
        count = min(left, self.allowed_points())
        if count <= 0:
            return []
        # The sampler's own points are counted from 0, whatever was tried before them.
        index = view.growth.sampled_before(view.points)
        return sampler.propose(self._history(), count, self._scan.spec.seed, index)

    def _record(self, first: int, proposals: list[Proposal], lost: int) -> None:
        """Record the variants of some new points, of which the first has this number.

        The next `lost` ids belong to variants that could not be found again, and stay free.
        """
        if not proposals:
            return
        repeats = range(self._space.repeat_count)
        ids = islice(policy.free_ids(self._scan.view), lost, None)
        self._scan.record(
            *(
                self._proposed(next(ids), point, repeat, proposal)
                for point, proposal in enumerate(proposals, first)
                for repeat in repeats
            )
        )

    def _without_given(self, sampler: Sampler) -> Sampler:
        """Return the sampler of the points that are not given."""
        spec = self._scan.spec
        if not spec.own_points or spec.trials is not None:
            return sampler
        # A grid has them all: what the user has put first is not run twice.
        given = points_file.read(self._scan.paths.points)
        chosen = (spec.space.point(meant_by(point["params"])).chosen for point in given)
        return UntriedPoints(sampler, frozenset(map(point_key, chosen)))

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
        return -(-free // self._space.repeat_count)

    def _propose_missing(self, sampler: Sampler, missing: list[tuple[str, int, int]]) -> int:
        """Record variants that points lack, and return how many could not be found.

        They were due to a killed runner, their first record is damaged, or they are more repeats.
        """
        if not missing:
            return 0
        # By point; all variants of one agree in what the sampler said.
        known = {variant.point: variant for variant in self._scan.view.variants.values()}
        found = []
        for ident, point, repeat in missing:
            sibling = known.get(point)
            if sibling is None:
                proposal = self._known_proposal(sampler, ident, point)
            else:
                proposal = Proposal(sibling.params, sibling.attrs)
            if proposal is not None:
                found.append(self._proposed(ident, point, repeat, proposal))
        self._scan.record(*found)
        return len(missing) - len(found)

    def _known_proposal(self, sampler: Sampler, ident: str, point: int) -> Proposal | None:
        """Return the proposal of a point without variants, from what a job of it still tells."""
        view, spec = self._scan.view, self._scan.spec
        body = read_json(self._scan.paths.job(job_key(ident, 1)).spec)
        params = body.get("params") if isinstance(body, dict) else None
        with contextlib.suppress(SpaceError):
            if isinstance(params, dict):
                return Proposal(spec.space.point(given_by(params)).chosen)
        if point < spec.own_points:
            return self._own_point(point)
        own = view.growth.own_from(point)
        if own:
            return Proposal(own[0])
        # No job was sent, so nothing is lost if a sampler that learns gives another point now. The
        # others give the point that the space of that time had.
        space = view.growth.space_at(point)
        if space is not self._space:
            sampler = self._without_given(samplers.load_for(replace(spec, space=space)))
        index = view.growth.sampled_before(point)
        return next(iter(sampler.propose(self._history(), 1, spec.seed, index)), None)

    def _own_point(self, point: int) -> Proposal | None:
        """Return a point that the user gave when the scan was started."""
        for given in points_file.read(self._scan.paths.points):
            if given["point"] == point:
                return Proposal(given["params"])
        return None

    def _proposed(
        self, ident: str, point: int, repeat: int, proposal: Proposal
    ) -> tuple[str, VariantProposed]:
        """Return the event that makes a variant of a point and a repeat, both counted from 0."""
        return events.VARIANT_PROPOSED, {
            "variant": ident,
            "point": point,
            "repeat": repeat,
            # A parameter that is not active has no value here: the notebook's own one stays.
            "params": self._space.complete(proposal.params, repeat),
            "attrs": proposal.attrs,
        }
