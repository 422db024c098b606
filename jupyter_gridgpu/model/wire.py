"""The view as JSON: what goes to the table in the browser, and what `--json` prints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.units import duration, number
from jupyter_gridgpu.model.view import ScanView, VariantView

MISSING = "–"

_ROW = (
    "id", "point", "repeat", "state", "reason", "message", "cell", "attempts", "step", "steps", "where", "gpu", "started",
    "ended", "notebook", "peak_mb", "usage",
)  # fmt: skip


def row(view: ScanView, variant: VariantView) -> dict[str, Any]:
    """One line of the table."""
    value = view.value(variant)
    return {
        **{name: getattr(variant, name) for name in _ROW},
        "params": numbers.strict(variant.params, mark=""),
        "metrics": {name: series.row() for name, series in variant.metrics.items()},
        "value": None if value is None else numbers.encode(value),
    }


def head(view: ScanView, state: str, now: float) -> dict[str, Any]:
    """The scan as a whole; `state` comes from outside, since only the lease tells an orphaned scan."""
    scan, best = view.scan, view.best()
    value = view.value(best) if best else None
    repeats = scan.space.repeats
    left = view.seconds_left(now)
    return {
        "id": scan.id,
        "name": scan.name,
        "notebook": scan.notebook,
        "state": state,
        "backend": scan.backend,
        "objective": vars(scan.objective) if scan.objective else None,
        "params": list(scan.space),
        "varied": scan.space.varied,
        "repeats": repeats[0] if repeats else None,
        "total": view.total(),
        "counts": view.counts(),
        "best": best.id if best else None,
        "best_value": None if value is None else numbers.encode(value),
        "created": scan.created,
        "ended": view.ended if view.finished else None,
        "left_s": None if left is None else round(left, 1),
        "gpu_s": sum(variant.gpu_s for variant in view.variants.values()),
        "now": now,
        "note": view.note(),
    }


def summary(view: ScanView, state: str, folder: str) -> dict[str, Any]:
    """The object that `gridgpu run --json` and `show --json` print. Non-finite numbers are words, as strict JSON asks."""
    best = view.best()
    return {
        "scan": view.scan.name,
        "folder": folder,
        "state": state,
        "best": best.id if best else None,
        "variants": [_variant(variant, folder) for variant in view.variants.values()],
    }


def _variant(variant: VariantView, folder: str) -> dict[str, Any]:
    return {
        "id": variant.id,
        "params": numbers.strict(variant.params, mark=""),
        "state": variant.state,
        "reason": variant.reason,
        "message": variant.message,
        "cell": variant.cell,
        "attempts": variant.attempts,
        "metrics": {name: numbers.encode(series.last) for name, series in variant.metrics.items()},
        "notebook": f"{folder}/{variant.notebook}" if variant.notebook else None,
    }


# How the faces without a browser say what is in a row ------------------------------


def metric_names(head: dict[str, Any], rows: Iterable[dict[str, Any]], limit: int) -> list[str]:
    """The metrics to show: the objective first, then the others in order of appearance."""
    names = dict.fromkeys([head["objective"]["metric"]] if head["objective"] else [])
    for item in rows:
        names.update(dict.fromkeys(item["metrics"]))
    return list(names)[:limit]


def metric_label(head: dict[str, Any], name: str) -> str:
    """`max(rej_light)` where that is the objective, else the plain name."""
    objective = head["objective"]
    reduced = objective and objective["metric"] == name and objective["reduction"] != "last"
    return f"{objective['reduction']}({name})" if reduced else name


def metric_text(head: dict[str, Any], item: dict[str, Any], name: str) -> str:
    """The objective as it ranks the row, the last value of any other metric."""
    if name not in item["metrics"]:
        return MISSING
    ranks = head["objective"] and head["objective"]["metric"] == name
    value = numbers.decode(item["value"] if ranks else item["metrics"][name]["last"])
    return MISSING if value is None else number(value, 4)


def step_text(item: dict[str, Any]) -> str:
    if item["step"] is None:
        return MISSING
    return f"{item['step']}/{item['steps']}" if item["steps"] else str(item["step"])


def time_text(head: dict[str, Any], item: dict[str, Any]) -> str:
    """How long the latest attempt took, or has taken so far."""
    if not item["started"]:
        return MISSING
    return duration((item["ended"] or head["now"]) - item["started"])
