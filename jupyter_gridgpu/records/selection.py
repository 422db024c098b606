"""Finds the variants of a scan that `--only` selects.

A selection is a list of ids (`v0003,v0007`), a state (`failed`), `best 5`, `pareto` for the Pareto
front of several objectives, or a condition (`lr < 1e-3 and loss < 0.2`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.job import STATES
from jupyter_gridgpu.model.ranking import rankable
from jupyter_gridgpu.model.view import ScanView, VariantView
from jupyter_gridgpu.records.condition import Condition

TEXT_LIMIT = 2000  # characters of a selection
_IDS = re.compile(r"v\d{4,7}(\s*,\s*v\d{4,7})*")
_BEST = re.compile(r"best\s+(\d{1,6})")
PARETO = "pareto"


def select_variants(view: ScanView, text: str) -> list[VariantView]:
    """Return the selected variants, in the order of the scan.

    An empty text selects all variants. Raises UsageError if the text is not understood or selects
    no variant.
    """
    text = text.strip()
    if len(text) > TEXT_LIMIT:
        raise UsageError(f"--only has more than {TEXT_LIMIT:,} characters.")
    selected = _selected(view, text)
    if selected:
        return selected
    if text:
        raise UsageError(f"--only {text}: no variant of {view.scan.name} is meant.")
    raise UsageError(f"{view.scan.name} has no variants.")


def _selected(view: ScanView, text: str) -> list[VariantView]:
    variants = list(view.variants.values())
    if not text:
        return variants
    # States come before conditions, so that a parameter called `failed` does not hide the state.
    if _IDS.fullmatch(text):
        return _with_ids(view, re.findall(r"v\d+", text))
    if text in STATES:
        return [variant for variant in variants if variant.state == text]
    if text == PARETO:
        return _pareto(view)
    best = _BEST.fullmatch(text)
    if best is not None:
        return _best(view, variants, int(best[1]))
    condition = Condition(text, _names(view, variants))
    return [variant for variant in variants if condition.holds(_values(variant))]


def _with_ids(view: ScanView, ids: list[str]) -> list[VariantView]:
    for variant_id in ids:
        if variant_id not in view.variants:
            raise UsageError(
                f"{view.scan.name} has no variant {variant_id!r}; "
                f"it has v0001 to v{len(view.variants):04d}."
            )
    wanted = set(ids)
    return [variant for variant in view.variants.values() if variant.id in wanted]


def _best(view: ScanView, variants: list[VariantView], count: int) -> list[VariantView]:
    """Return the `count` best variants that are done, in the order of the scan."""
    if len(view.objectives) > 1:
        raise UsageError(
            f"--only best: {view.scan.name} has several objectives and no single best; --only"
            f" {PARETO} selects its Pareto front."
        )
    if view.objective is None:
        raise UsageError(
            f"--only best: {view.scan.name} has no objective that could rank its variants."
        )
    # A training that diverged is never among the best.
    best_ids = {variant.id for variant in rankable(variants, view.objective)[:count]}
    return [variant for variant in variants if variant.id in best_ids]


def _pareto(view: ScanView) -> list[VariantView]:
    """Return the variants of the Pareto front, in the order of the scan."""
    if len(view.objectives) < 2:
        raise UsageError(
            f"--only {PARETO}: {view.scan.name} has not several objectives, so it has no Pareto"
            " front; 'best 5' selects by its only one."
        )
    return view.pareto()


def _names(view: ScanView, variants: list[VariantView]) -> set[str]:
    """Return the names that a condition may use: parameters and metrics of the scan."""
    names = set(view.scan.space)
    for variant in variants:
        names.update(variant.metrics)
    return names


def _values(variant: VariantView) -> Mapping[str, Any]:
    """Return the values that a condition may use, by name.

    A metric stands for its last value. A parameter wins over a metric of the same name.
    """
    metrics = {name: series.last for name, series in variant.metrics.items()}
    return {**metrics, **variant.params}
