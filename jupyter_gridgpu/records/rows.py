"""A scan as rows: what the table formats have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.records.record import Record

STATE = (
    "id",
    "state",
    "reason",
    "message",
    "attempts",
    "point",
    "repeat",
    "where",
    "node",
    "gpu",
    "started",
    "ended",
    "seconds",
)
CURVE = ("id", "attempt", "metric", "step", "time", "value")


def rows(record: Record) -> Iterator[dict[str, Any]]:
    """Yield one row a variant: its state, each parameter, the last value of each metric, and the objective.

    A parameter or metric that has the name of a column before it is called `param:NAME` or `metric:NAME`.
    """
    for variant in record.variants:
        made = {name: getattr(variant, name, None) for name in STATE}
        made["seconds"] = (
            variant.ended - variant.started if variant.ended and variant.started else None
        )
        for name, value in variant.params.items():
            made[f"param:{name}" if name in STATE else name] = value
        for name, series in variant.metrics.items():
            made[metric_column(variant, name)] = series.last
        if record.scan.objective is not None:
            made["objective"] = record.view.value(variant)
        yield made


def metric_column(variant: VariantView, name: str) -> str:
    taken = name in STATE or name == "objective" or name in variant.params
    return f"metric:{name}" if taken else name


def columns(items: Iterable[dict[str, Any]]) -> list[str]:
    """Return all columns in the order of their appearance; the objective last."""
    names = dict.fromkeys(STATE)
    for item in items:
        names.update(dict.fromkeys(item))
    objective = [name for name in names if name == "objective"]
    return [*(name for name in names if name != "objective"), *objective]


def curve_rows(record: Record) -> Iterator[dict[str, Any]]:
    """Yield one row for each value that the latest job of a variant reported."""
    for variant in record.variants:
        for reading in record.series(variant):
            for name, value in reading.values.items():
                made = (variant.id, variant.attempts, name, reading.step, reading.time, value)
                yield dict(zip(CURVE, made, strict=True))
