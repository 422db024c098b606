"""Which variants are the best: one with one objective, the Pareto front with several."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from jupyter_gridgpu.model.metrics import objective_value
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.pareto import front
from jupyter_gridgpu.model.variant import VariantView


def best_of(variants: Iterable[VariantView], objective: Objective) -> VariantView | None:
    """Return the variant with the best value among those that are done, or None."""
    best, best_value = None, None
    for variant in variants:
        if variant.state != "done":
            continue
        value = objective_value(variant.metrics, objective)
        if objective.better(value, best_value):
            best, best_value = variant, value
    return best


def rankable(variants: Iterable[VariantView], objective: Objective) -> list[VariantView]:
    """Return the variants that can be ranked, the best first; of equal ones the earlier one.

    These are the ones that are done and have a value that is not NaN.
    """
    found: list[tuple[float, VariantView]] = []
    for variant in variants:
        if variant.state == "done":
            value = objective_value(variant.metrics, objective)
            if value is not None and not math.isnan(value):
                found.append((-objective.sign * value, variant))
    # By the value alone: variants have no order.
    found.sort(key=lambda item: item[0])
    return [variant for _, variant in found]


def in_rank(variants: Sequence[VariantView], objectives: Sequence[Objective]) -> list[VariantView]:
    """Return all variants, the best or the Pareto front first; the others as they are given."""
    first: list[VariantView] = pareto_front(variants, objectives)
    if len(objectives) == 1:
        first = rankable(variants, objectives[0])
    ids = {variant.id for variant in first}
    return [*first, *(variant for variant in variants if variant.id not in ids)]


def pareto_front(
    variants: Iterable[VariantView], objectives: Sequence[Objective]
) -> list[VariantView]:
    """Return the variants whose points no other point dominates, in order.

    Compared are the means over the repeats of a point that are done. A point is not in the front
    if one of them has no value of an objective, or NaN. One objective has no front.
    """
    if len(objectives) < 2:
        return []
    repeats: dict[int, list[VariantView]] = {}
    for variant in variants:
        if variant.state == "done":
            repeats.setdefault(variant.point, []).append(variant)
    groups = list(repeats.values())
    found = front([_means(group, objectives) for group in groups])
    chosen = [variant for index in found for variant in groups[index]]
    return sorted(chosen, key=lambda variant: variant.number)


def _means(variants: list[VariantView], objectives: Sequence[Objective]) -> tuple[float, ...]:
    """Return the mean of each objective over some variants; larger is better, NaN is unknown."""
    means = []
    for objective in objectives:
        values = [objective_value(variant.metrics, objective) for variant in variants]
        known = [math.nan if value is None else value for value in values]
        means.append(objective.sign * mean(known))
    return tuple(means)


def by_point(variants: Iterable[VariantView]) -> dict[int, list[VariantView]]:
    """Return the variants of each point, in the order in which points were proposed."""
    found: dict[int, list[VariantView]] = {}
    for variant in variants:
        found.setdefault(variant.point, []).append(variant)
    return {point: found[point] for point in sorted(found)}


def known_means(
    variants: Sequence[VariantView], objectives: Sequence[Objective]
) -> tuple[float | None, ...]:
    """Return the mean of each objective over the variants that have a value; None if none has."""
    means: list[float | None] = []
    for objective in objectives:
        values = [objective_value(variant.metrics, objective) for variant in variants]
        known = [value for value in values if value is not None]
        means.append(mean(known) if known else None)
    return tuple(means)


def mean(values: Sequence[float]) -> float:
    """Return the mean. The sum of large numbers may have no place in a float, their mean has."""
    total = sum(values)
    if math.isinf(total) and all(map(math.isfinite, values)):
        return sum(value / len(values) for value in values)
    return total / len(values)
