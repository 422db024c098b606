"""What a sampler is: a function from what is known to the next points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.scan import Objective
from jupyter_gridgpu.model.space import Space


@dataclass(frozen=True)
class Trial:
    """A point that was proposed, and what came of it."""

    params: dict[str, Any]  # of the searched axes
    attrs: dict[str, Any] = field(
        default_factory=dict
    )  # what the sampler itself wants to find again
    state: str = "running"  # running, done or failed
    value: float | None = None  # the objective, None or NaN if there is none


@dataclass(frozen=True)
class Proposal:
    params: dict[str, Any]
    attrs: dict[str, Any] = field(default_factory=dict)


class Sampler(Protocol):
    """Made with `(space, objective)`; raises UsageError there if it cannot work with them.

    `adaptive`: whether results change what is proposed next; a sampler that does not learn is asked for all at once.
    """

    adaptive: bool

    def propose(self, history: Sequence[Trial], n: int, seed: int, index: int) -> list[Proposal]:
        """Return up to `n` points from number `index` (from 0) on.

        The same arguments give the same points, on any machine and after any restart: nothing is kept between calls.
        """
        ...


class Nothing:
    """Stands where points are given, as in a replay."""

    adaptive = False

    def propose(self, history: Sequence[Trial], n: int, seed: int, index: int) -> list[Proposal]:
        return []


def need_searched(name: str, space: Space) -> None:
    """Raise UsageError if there is nothing to search on."""
    if not space.searched:
        raise UsageError(f"--sampler {name} needs at least one parameter with a range or a list.")


def need_objective(name: str, objective: Objective | None) -> Objective:
    """Return the objective. Raises UsageError if there is none."""
    if objective is None:
        raise UsageError(
            f"--sampler {name} learns from results: say which with --maximize NAME or --minimize NAME, or use --sampler random."
        )
    return objective
