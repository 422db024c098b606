"""Parquet, by pyarrow: the same columns as CSV, with types. A column whose values are of several kinds becomes text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.records.export import needs
from jupyter_gridgpu.records.record import Record
from jupyter_gridgpu.records.rows import CURVE, columns, curve_rows, rows

SUFFIX = ".parquet"


def write(record: Record, target: Path, curves: bool) -> None:
    needs("pyarrow", "pyarrow.parquet")
    import pyarrow
    import pyarrow.parquet

    items = list(curve_rows(record) if curves else rows(record))
    names = list(CURVE) if curves else columns(items)
    table = pyarrow.table(
        {name: _column(pyarrow, [item.get(name) for item in items]) for name in names}
    )
    facts = {"gridgpu": json.dumps({"scan": record.name, "id": record.scan.id})}
    pyarrow.parquet.write_table(table.replace_schema_metadata(facts), target)


def _column(pyarrow: Any, values: list[Any]) -> Any:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        values = [None if value is None else float(value) for value in values]
    elif len(kinds) > 1 or kinds & {list, dict}:
        values = [None if value is None else _text(value) for value in values]
    elif kinds == {int} and any(abs(value) >= 2**63 for value in values if value is not None):
        values = [None if value is None else str(value) for value in values]
    return pyarrow.array(values)


def _text(value: Any) -> str:
    return (
        value
        if isinstance(value, str)
        else json.dumps(numbers.strict(value, mark=""), ensure_ascii=False)
    )
