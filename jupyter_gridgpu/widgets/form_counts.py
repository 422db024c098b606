"""How many variants the cell of a form makes, in numbers and in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from jupyter_gridgpu.model.space import Space
from jupyter_gridgpu.planning.left_by_constraints import grid_size, size_without_constraints
from jupyter_gridgpu.planning.request import Plan
from jupyter_gridgpu.widgets.form_space import CheckedRows

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
    rows: CheckedRows | None, made: Plan | None, sampler_is_chosen: bool
) -> dict[str, Any]:
    """Return the part of a form's answer with numbers of variants and points.

    `made` is the plan of the cell, or None if the request has an error. `factors` in the answer are
    numbers whose product is the number of variants; numbers that are not known are None.
    """
    # Counting a grid may take a second, and the space of a plan is counted already.
    space = made.scan.space if made else (rows.space if rows else None) or Space({})
    sizes = rows.sizes if rows else {}
    grid, trials = grid_size(space), None
    if made is not None:
        trials = made.scan.trials
    total = _total(space, grid, made)
    return {
        "variants": total,
        "points": {
            "factors": _factors(sizes, trials, space.repeat_count, total),
            "each": sizes,
            "trials": trials,
            "grid": grid,
            "unconstrained": size_without_constraints(space),
        },
        "words": {**_follows(rows), **_words(rows, space, made, grid, sampler_is_chosen)},
    }


def _total(space: Space, grid: int | None, made: Plan | None) -> int | None:
    """Return the number of variants, or None if it is not known."""
    if made is not None:
        return made.scan.total()
    # Without a plan the cell is counted as a grid, since a grid is what it makes by default.
    if grid is None or not space.axes:
        return None
    return grid * space.repeat_count


def _factors(
    sizes: Mapping[str, int | None], trials: int | None, repeats: int, total: int | None
) -> list[int]:
    if total is None:
        return []
    if trials is None:
        factors = sorted(size for size in sizes.values() if size is not None)
        # With conditions and constraints, the product is another number.
        return factors if math.prod(factors) == total else [total]
    if repeats > 1:
        return [trials, repeats]
    return [trials]


def _follows(rows: CheckedRows | None) -> dict[str, str]:
    """Return for each derived parameter what it follows from."""
    found = rows.follows if rows else {}
    return {row: f"follows from {', '.join(names)}" for row, names in found.items()}


def _words(
    rows: CheckedRows | None,
    space: Space,
    made: Plan | None,
    grid: int | None,
    sampler_is_chosen: bool,
) -> dict[str, str]:
    """Return the words that stand beside fields, by field."""
    words = {}
    often = ""
    if space.repeats is not None:
        name, count = space.repeats
        words[rows.ident_of(name) if rows else name] = f"times each, seeds {_seeds(count)}"
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
