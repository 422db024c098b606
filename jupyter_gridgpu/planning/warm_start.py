"""Takes the results of earlier scans for a sampler that learns (`--warm-start`).

A result counts where its point lies in the space of the new scan. What is different is said: a
parameter that the earlier scan did not know, values outside of the space, another notebook. As in
Optuna, a result that lacks some parameters tells of the others.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jupyter_gridgpu import samplers
from jupyter_gridgpu.errors import SpaceError, UsageError
from jupyter_gridgpu.model.axes import alike
from jupyter_gridgpu.model.program import Choose, Draw, NotKnown, PartlyKnown, meant_by
from jupyter_gridgpu.model.ranking import by_point, known_means
from jupyter_gridgpu.model.scan import EarlierScan, ScanSpec
from jupyter_gridgpu.model.units import count_text
from jupyter_gridgpu.model.view import ScanView
from jupyter_gridgpu.planning.parameter import short_text
from jupyter_gridgpu.store import earlier, home
from jupyter_gridgpu.store.earlier import EarlierResult
from jupyter_gridgpu.store.journal import JournalReader
from jupyter_gridgpu.store.paths import ScanPaths

RESULTS_LIMIT = 10_000  # a sampler goes through all of them for every new point
NAMES_SHOWN = 5


@dataclass(frozen=True)
class WarmStart:
    """What a scan takes from earlier ones."""

    scans: tuple[EarlierScan, ...] = ()
    lines: str = ""  # the content of earlier.jsonl
    warnings: tuple[str, ...] = ()

    def added_to(self, scan: ScanSpec) -> ScanSpec:
        """Return a scan that takes it."""
        return replace(scan, warm_start=self.scans, warnings=(*scan.warnings, *self.warnings))


def warm_start(names: Sequence[str], scan: ScanSpec) -> WarmStart:
    """Return what the new scan takes from the scans with these names, ids or folders.

    Raises UsageError (UnknownScan) or StorageError.
    """
    if not names:
        return WarmStart()
    sampler = samplers.load_for(scan)
    if not sampler.adaptive:
        raise UsageError(
            f"--warm-start {names[0]}: --sampler {scan.sampler} does not learn from results. Use"
            " --sampler tpe with --trials N, or leave --warm-start out."
        )
    needed = getattr(sampler, "earlier_needed", 0)
    takers = [_Taker(name, scan, whole_only=bool(needed)) for name in names]
    scans = [taker.before for taker in takers]
    if len({known.id for known in scans}) < len(scans):
        raise UsageError("--warm-start names the same scan twice: leave one of them out.")
    for taker in takers:
        taker.take()
    results = [result for taker in takers for result in taker.results]
    _check_count(results, needed, scan)
    return WarmStart(
        tuple(
            EarlierScan(taker.before.id, taker.before.name, len(taker.results)) for taker in takers
        ),
        earlier.lines(results),
        tuple(warning for taker in takers for warning in taker.warnings()),
    )


def _check_count(results: Sequence[EarlierResult], needed: int, scan: ScanSpec) -> None:
    """Raise UsageError if there are too few results for the sampler, or too many."""
    if len(results) < needed:
        raise UsageError(
            f"--warm-start: --sampler {scan.sampler} needs at least {needed} results to learn from,"
            f" and there are {len(results)}: use --sampler tpe."
        )
    if len(results) > RESULTS_LIMIT:
        raise UsageError(
            f"--warm-start: there are {len(results):,} results, and a sampler can learn from"
            f" {RESULTS_LIMIT:,}: name fewer scans."
        )


class _Taker:
    """Takes the results of one earlier scan, and counts what it leaves out."""

    def __init__(self, name: str, scan: ScanSpec, whole_only: bool) -> None:
        """`scan` is the new one. With `whole_only`, a result counts if all parameters are known.

        Raises UnknownScan or StorageError.
        """
        folder = home.find(name)
        journal = JournalReader(ScanPaths(folder).journal)
        self._view = ScanView(home.load(folder)).apply_all(journal.events())
        self.before = self._view.scan  # with the space that it was extended to
        self._scan = scan
        self._whole_only = whole_only
        self.results: list[EarlierResult] = []
        self.done = 0  # points that have a result
        self.unlike = 0  # of these, points that the new space does not have
        self.without = 0  # points without a value for some objective
        self.missing: Counter[str] = Counter()  # points without a value for it, by parameter

    def take(self) -> None:
        """Take the results that count. Raises UsageError if there are none."""
        done = (variant for variant in self._view.variants.values() if variant.state == "done")
        for point, variants in by_point(done).items():
            self.done += 1
            # The fold keeps last, least and largest value of every metric, so that any objective
            # can be computed. Variants of one point differ in their repeat alone.
            values = known_means(variants, self._scan.objectives)
            self._take(point, variants[0].params, values)
        if not self.results:
            raise UsageError(f"--warm-start {self.before.name}: {self._nothing()}")

    def _take(self, point: int, params: Mapping[str, Any], values: Sequence[float | None]) -> None:
        numbers = tuple(math.nan if value is None else value for value in values)
        if not all(map(math.isfinite, numbers)):
            self.without += 1
            return
        known = PartlyKnown(_chosen(params, self.before.defaults))
        try:
            walked = self._scan.space.point(known)
        except SpaceError:
            self.unlike += 1
            return
        if walked.broken is not None:
            self.unlike += 1
            return
        self.missing.update(name for draw in known.missing for name in draw.names)
        if known.found and not (known.missing and self._whole_only):
            self.results.append(EarlierResult(self.before.id, point, known.found, numbers))

    def _nothing(self) -> str:
        """Return why no result counts."""
        if not self.done:
            return "it has no finished result. Wait for one, or leave it out."
        if self.without == self.done:
            return f"none of its results has {self._metrics()}, which ranks the variants here."
        if self.missing:
            return f"its results have no value of {_listed(self.missing)}; leave it out."
        return f"none of its {self.done:,} results lies in this space; leave it out."

    def _metrics(self) -> str:
        return _listed(objective.metric for objective in self._scan.objectives)

    def warnings(self) -> Iterator[str]:
        """Yield what is odd about these results, in sentences."""
        name = self.before.name
        if self.unlike:
            yield f"Left out of {name}: {_counted(self.unlike)} that this space does not have."
        if self.without:
            yield f"Left out of {name}: {_counted(self.without)} without {self._metrics()}."
        if self.missing:
            found = f"{_counted(max(self.missing.values()))} without {_listed(self.missing)}"
            if self._whole_only:
                yield f"Left out of {name}: {found}."
            else:
                yield f"Of {name}, {found}: the sampler learns of the other parameters alone."
        searched = self._scan.space.searched
        if gone := [item for item in self.before.space.searched if item not in searched]:
            yield f"{_listed(gone)} varied in {name} and does not vary here."
        for item, before, here in self._different():
            yield f"{item} was {short_text(before)} in {name} and is {short_text(here)} here."
        if self.before.objectives != self._scan.objectives:
            here = _listed(f"{one.direction} {one.label}" for one in self._scan.objectives)
            yield f"{name} had another objective; its results count here by: {here}."
        if self.before.notebook_digest != self._scan.notebook_digest:
            yield f"The notebook was another one in {name}, or another version of it."

    def _different(self) -> Iterator[tuple[str, Any, Any]]:
        """Yield the parameters that have one value in each scan, but not the same."""
        vary = {*self._scan.space.varied, *self.before.space.varied}
        before = {**self.before.defaults, **self.before.space.fixed}
        here = {**self._scan.defaults, **self._scan.space.fixed}
        for name in {**self.before.space.fixed, **self._scan.space.fixed}:
            known = name in before and name in here and name not in vary
            if known and not alike(before[name], here[name]):
                yield name, before[name], here[name]


def _chosen(params: Mapping[str, Any], defaults: Mapping[str, Any]) -> Choose:
    """Return what chooses the values of a point of an earlier scan.

    A parameter that the scan left alone had the value that the notebook gave it. If the new space
    does not have that value, the parameter counts as one that the scan did not know.
    """
    given = meant_by(params)
    own = meant_by({**defaults, **params})

    def choose(draw: Draw) -> Any:
        try:
            return given(draw)
        except NotKnown:
            try:
                return own(draw)
            except SpaceError as error:
                # A part of a row that the scan did give counts as given.
                if any(name in params for name in draw.names):
                    raise
                raise NotKnown(str(error)) from None

    return choose


def _counted(count: int) -> str:
    return count_text(count, "result")


def _listed(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - NAMES_SHOWN} more" if len(found) > NAMES_SHOWN else ""
    return ", ".join(found[:NAMES_SHOWN]) + more
