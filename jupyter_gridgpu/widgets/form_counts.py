"""How many variants the cell of a form makes, in numbers and in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_gridgpu.model.space import Axis, Choice, Range, Repeats, Space, axis_size
from jupyter_gridgpu.planning.request import Plan

_LEARNS = "learns as it goes"
# What each sampler does, as the form says beside its name.
SAMPLER_WORDS = {
    "grid": "every point",
    "random": "independent points",
    "sobol": "even points",
    "tpe": _LEARNS,
    "cmaes": _LEARNS,
    "nsgaii": _LEARNS,
}


def count_points(
    axes: Mapping[str, Axis], made: Plan | None, sampler_is_chosen: bool
) -> dict[str, Any]:
    """Return the part of a form's answer with numbers of variants and points.

    `made` is the plan of the cell, or None if the request has an error. `factors` in the answer are
    numbers whose product is the number of variants; numbers that are not known are None.
    """
    space = Space(dict(axes))
    grid = space.grid_size()
    sizes: dict[str, int | None] = {}
    for name, axis in axes.items():
        if isinstance(axis, (Choice, Range, Repeats)):
            sizes[name] = _size(axis)
    trials = None
    if made is not None:
        trials = made.scan.trials
    total = _total(space, grid, made)
    factors: list[int] = []
    if total is not None:
        factors = _factors(sizes, trials, _repeats(space))
    return {
        "variants": total,
        "points": {"factors": factors, "each": sizes, "trials": trials, "grid": grid},
        "words": _words(space, made, grid, sampler_is_chosen),
    }


def _total(space: Space, grid: int | None, made: Plan | None) -> int | None:
    """Return the number of variants, or None if it is not known."""
    if made is not None:
        return made.scan.total()
    # Without a plan the cell is counted as a grid, since a grid is what it makes by default.
    if grid is None or not space.axes:
        return None
    return grid * _repeats(space)


def _factors(sizes: Mapping[str, int | None], trials: int | None, repeats: int) -> list[int]:
    if trials is None:
        return sorted(size for size in sizes.values() if size is not None)
    if repeats > 1:
        return [trials, repeats]
    return [trials]


def _repeats(space: Space) -> int:
    """Return how often each point is tried."""
    if space.repeats is None:
        return 1
    return space.repeats[1]


def _size(axis: Choice | Range | Repeats) -> int | None:
    """Return the number of values of an axis, or None if there are infinitely many."""
    if isinstance(axis, Repeats):
        return axis.count
    return axis_size(axis)


def _words(
    space: Space, made: Plan | None, grid: int | None, sampler_is_chosen: bool
) -> dict[str, str]:
    """Return the words that stand beside fields, by field."""
    words = {}
    often = ""
    if space.repeats is not None:
        name, count = space.repeats
        words[name] = f"times each, seeds {_seeds(count)}"
        often = f"{count} times"
    if made is None:
        return words
    sampler = made.scan.sampler
    # The field shows a sampler only if the user has chosen it. Otherwise its name stands here.
    sampler_words = ["", SAMPLER_WORDS.get(sampler, "")]
    if not sampler_is_chosen:
        sampler_words[0] = sampler
    words["--sampler"] = ": ".join(text for text in sampler_words if text)
    points = ""
    if made.scan.trials is None:
        points = f"all {grid:,}"
    elif grid:
        points = f"of {grid:,}"
    words["--trials"] = ", ".join(text for text in (points, often) if text)
    return words


def _seeds(count: int) -> str:
    """Return the seeds of `count` repeats in words."""
    if count > 4:
        return f"0 to {count - 1}"
    return ", ".join(str(seed) for seed in range(count))
