"""Parquet, written by pyarrow: the same columns as CSV, with types.

It loses the spec, the provenance and, without curves, all values of a metric but the last. A
column whose values are of several kinds becomes text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from jupyter_gridgpu.records.export.base import require_package, text_or_json
from jupyter_gridgpu.records.record import Record
from jupyter_gridgpu.records.rows import CURVE_COLUMNS, columns, curve_rows, variant_rows

SUFFIX = ".parquet"
INT_LIMIT = 2**63  # the integers of a column have 64 bits


def write(record: Record, target: Path, curves: bool) -> None:
    """Write a Parquet file, with the scan's name and id in its metadata."""
    require_package("pyarrow", "pyarrow.parquet")
    import pyarrow
    import pyarrow.parquet

    if curves:
        rows, names = list(curve_rows(record)), list(CURVE_COLUMNS)
    else:
        rows = list(variant_rows(record))
        names = columns(rows)
    arrays = {}
    for name in names:
        arrays[name] = pyarrow.array(_column([row.get(name) for row in rows]))
    metadata = {"gridgpu": json.dumps({"scan": record.name, "id": record.scan.id})}
    table = pyarrow.table(arrays).replace_schema_metadata(metadata)
    pyarrow.parquet.write_table(table, target)


def _column(values: list[Any]) -> list[Any]:
    """Return the values of a column, all of one kind, since pyarrow takes no others."""
    kinds = {type(value) for value in values if value is not None}
    # A metric may be 1 in one variant and 0.5 in another. That is a column of numbers.
    if kinds == {int, float}:
        return _each(values, float)
    if len(kinds) > 1 or list in kinds or dict in kinds:
        return _each(values, text_or_json)
    # An integer may be an id or a hash, which a float would round.
    if kinds == {int} and _has_large_int(values):
        return _each(values, str)
    return values


def _each(values: Iterable[Any], convert: Callable[[Any], Any]) -> list[Any]:
    """Return the values converted by a function. None stays None, which is an empty cell."""
    return [convert(value) if value is not None else None for value in values]


def _has_large_int(values: Iterable[int | None]) -> bool:
    return any(value is not None and abs(value) >= INT_LIMIT for value in values)
