"""The rows of a scan for the table formats CSV and Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from jupyter_gridgpu.model.view import VariantView, given_parameters
from jupyter_gridgpu.records.record import Record

# The columns that every scan has. `started` and `ended` are seconds since the epoch, `seconds` is
# the time between them.
STATE_COLUMNS = (
    "id", "state", "reason", "message", "attempts", "point", "repeat", "where", "node", "gpu",
    "started", "ended", "seconds",
)  # fmt: skip
CURVE_COLUMNS = ("id", "attempt", "metric", "step", "time", "value")
# The columns of the objectives' values: of the only one, and the beginning of those of several.
OBJECTIVE, EACH_OBJECTIVE = "objective", "objective:"
PARETO = "pareto"  # whether a variant is in the Pareto front of several objectives


def variant_rows(record: Record) -> Iterator[dict[str, Any]]:
    """Yield one row for each variant: its state, parameters, metrics and the objectives.

    The value of a metric is its last one. A parameter whose name is that of a column of ours gets
    the column `param:NAME`. A metric whose name is taken by another column gets `metric:NAME`.
    """
    front = {variant.id for variant in record.view.pareto()}
    names = given_parameters(record.view)
    for variant in record.variants:
        # All columns are attributes of a variant, except `seconds`, which is worked out here.
        row = {name: getattr(variant, name, None) for name in STATE_COLUMNS}
        if variant.ended and variant.started:
            row["seconds"] = variant.ended - variant.started
        results = _results(record, variant, front)
        taken = {*STATE_COLUMNS, *results}
        params = {**dict.fromkeys(names), **variant.params}
        for name, value in params.items():
            row[f"param:{name}" if name in taken else name] = value
        for name, series in variant.metrics.items():
            is_taken = name in taken or _is_result(name) or name in params
            row[f"metric:{name}" if is_taken else name] = series.last
        yield row | results


def _results(record: Record, variant: VariantView, front: set[str]) -> dict[str, Any]:
    """Return the columns of the objectives; with several, also whether it is in the front."""
    objectives = record.view.objectives
    if len(objectives) < 2:
        return {OBJECTIVE: record.view.value(variant)} if objectives else {}
    names = [f"{EACH_OBJECTIVE}{objective.label}" for objective in objectives]
    values = record.view.values(variant)
    return {**dict(zip(names, values, strict=True)), PARETO: variant.id in front}


def _is_result(name: str) -> bool:
    return name in (OBJECTIVE, PARETO) or name.startswith(EACH_OBJECTIVE)


def columns(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Return the columns of all rows in the order of their appearance, the objectives last."""
    # Variants may have reported different metrics, so one row may not have all columns. A dict
    # keeps the names in order, each once.
    names = dict.fromkeys(STATE_COLUMNS)
    for row in rows:
        names.update(dict.fromkeys(row))
    return sorted(names, key=_is_result)


def curve_rows(record: Record) -> Iterator[dict[str, Any]]:
    """Yield one row for each value that the latest job of each variant reported."""
    for variant in record.variants:
        for reading in record.series(variant):
            for name, value in reading.values.items():
                cells = (variant.id, variant.attempts, name, reading.step, reading.time, value)
                yield dict(zip(CURVE_COLUMNS, cells, strict=True))
