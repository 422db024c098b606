"""The rows of a scan for the table formats CSV and Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.records.record import Record

# The columns that every scan has. `started` and `ended` are seconds since the epoch, `seconds` is
# the time between them.
STATE_COLUMNS = (
    "id", "state", "reason", "message", "attempts", "point", "repeat", "where", "node", "gpu",
    "started", "ended", "seconds",
)  # fmt: skip
CURVE_COLUMNS = ("id", "attempt", "metric", "step", "time", "value")
OBJECTIVE = "objective"  # the column of the objective's value


def variant_rows(record: Record) -> Iterator[dict[str, Any]]:
    """Yield one row for each variant: its state, parameters, metrics and the objective.

    The value of a metric is its last one. A parameter whose name is that of a STATE_COLUMN gets the
    column `param:NAME`. A metric whose name is taken by another column gets `metric:NAME`.
    """
    for variant in record.variants:
        # All columns are attributes of a variant, except `seconds`, which is worked out here.
        row = {name: getattr(variant, name, None) for name in STATE_COLUMNS}
        if variant.ended and variant.started:
            row["seconds"] = variant.ended - variant.started
        for name, value in variant.params.items():
            row[_parameter_column(name)] = value
        for name, series in variant.metrics.items():
            row[_metric_column(variant, name)] = series.last
        if record.scan.objective is not None:
            row[OBJECTIVE] = record.view.value(variant)
        yield row


def _parameter_column(name: str) -> str:
    if name in STATE_COLUMNS:
        return f"param:{name}"
    return name


def _metric_column(variant: VariantView, name: str) -> str:
    if name in STATE_COLUMNS or name == OBJECTIVE or name in variant.params:
        return f"metric:{name}"
    return name


def columns(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Return the columns of all rows in the order of their appearance, the objective last."""
    # Variants may have reported different metrics, so one row may not have all columns. A dict
    # keeps the names in order, each once.
    names = dict.fromkeys(STATE_COLUMNS)
    for row in rows:
        names.update(dict.fromkeys(row))
    if OBJECTIVE in names:
        del names[OBJECTIVE]
        names[OBJECTIVE] = None
    return list(names)


def curve_rows(record: Record) -> Iterator[dict[str, Any]]:
    """Yield one row for each value that the latest job of each variant reported."""
    for variant in record.variants:
        for reading in record.series(variant):
            for name, value in reading.values.items():
                cells = (variant.id, variant.attempts, name, reading.step, reading.time, value)
                yield dict(zip(CURVE_COLUMNS, cells, strict=True))
