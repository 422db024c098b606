"""The protocol of samplers: from the earlier trials of a scan, a sampler makes the next points."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from jupyter_gridgpu.errors import SpaceError, UsageError
from jupyter_gridgpu.model.expressions import quoted
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.program import Choose, Walk
from jupyter_gridgpu.model.space import Space

# Whose proposal a trial was: the sampler's, the user's, or one of an earlier scan.
SAMPLED, OWN, EARLIER = "sampled", "own", "earlier"
DRAWS = 10_000  # points in a row that may fail the constraints


@dataclass(frozen=True)
class Trial:
    """A point that was proposed, and its result so far."""

    # Of the searched parameters that are active, by parameter; values of others may be there, too.
    params: dict[str, Any]
    # What the sampler put into the `attrs` of its proposal, to find it again here.
    attrs: dict[str, Any] = field(default_factory=dict)
    state: str = "running"  # running, done or failed
    # The objectives, in their order; None or NaN stands for a value that there is not.
    values: tuple[float | None, ...] = ()
    # Of EARLIER trials, also active parameters may be missing.
    source: str = SAMPLED


@dataclass(frozen=True)
class Proposal:
    """A point that is to be tried."""

    params: dict[str, Any]  # of the searched parameters that are active
    # What the sampler wants to find again in the Trial of this point. It is kept as JSON.
    attrs: dict[str, Any] = field(default_factory=dict)


class Sampler(Protocol):
    """Proposes points of one space.

    The class of a sampler is called with `(space, objectives)`, and raises UsageError if it cannot
    work with them. `objectives` is empty where the scan ranks nothing.
    """

    # Whether results change what is proposed next. The runner asks a sampler that does not learn
    # for all points at once, and a sampler that learns only for points that can start now.
    adaptive: bool

    def propose(self, history: Sequence[Trial], n: int, seed: int, index: int) -> list[Proposal]:
        """Return up to `n` points; `index` is the number of the first point, from 0.

        `history` has the trials before these points, the EARLIER ones first; `seed` is that of the
        scan. The same arguments give the same points, on any machine and after any restart of the
        runner. So a sampler keeps nothing between calls.
        """
        ...


class GivenPoints:
    """The sampler of a scan whose points are given, as in a replay: it proposes none."""

    adaptive = False

    def propose(self, history: Sequence[Trial], n: int, seed: int, index: int) -> list[Proposal]:
        """Return no points."""
        return []


def sound_point(space: Space, choose: Choose) -> Walk | None:
    """Return the point that `choose` makes, or None if it is none that counts."""
    try:
        walked = space.point(choose)
    except SpaceError:
        # An expression has no value at this point, as `a / b` has none where b is 0.
        return None
    return walked if walked.broken is None else None


def drawn_point(space: Space, choose: Choose) -> Walk:
    """Return the first point that counts, of those that `choose` makes one after another.

    Raises SpaceError if there is none among DRAWS.
    """
    for _ in range(DRAWS):
        walked = sound_point(space, choose)
        if walked is not None:
            return walked
    raise SpaceError(too_few(space))


def until_none(points: Iterable[Proposal]) -> list[Proposal]:
    """Return points up to the first one that is not found. Raises SpaceError if that is the first.

    So the points before it are tried, and the next question gets the complaint.
    """
    found: list[Proposal] = []
    try:
        # Not a comprehension, which would lose what it has.
        for point in points:
            found.append(point)  # noqa: PERF402
    except SpaceError:
        if not found:
            raise
    return found


def too_few(space: Space) -> str:
    """Return the sentence that says that the constraints leave next to nothing."""
    listed = " and ".join(quoted(condition.text) for condition in space.constraints)
    return (
        f"Of {DRAWS:,} points that were drawn, none meets {listed}: loosen the constraint, or widen"
        " the ranges."
    )


def need_searched(name: str, space: Space) -> None:
    """Raise UsageError if the space leaves the sampler `name` nothing to choose."""
    if not space.searched:
        raise UsageError(f"--sampler {name} needs at least one parameter with a range or a list.")


def need_objectives(name: str, objectives: Sequence[Objective]) -> Sequence[Objective]:
    """Return the objectives. Raises UsageError if there are none."""
    if not objectives:
        raise UsageError(
            f"--sampler {name} learns from results: say which with --maximize NAME or"
            " --minimize NAME, or use --sampler random."
        )
    return objectives
