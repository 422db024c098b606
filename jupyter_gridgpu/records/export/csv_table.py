"""CSV: a table with one line for each variant, or with curves one line for each value.

The table holds state, parameters, last values of metrics and the objective. It loses the kinds of
values (a spreadsheet guesses them), the spec, the provenance and, without curves, all values of a
metric but the last.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.records.export.base import json_text
from jupyter_gridgpu.records.record import Record
from jupyter_gridgpu.records.rows import (
    CURVE_COLUMNS,
    STATE_COLUMNS,
    columns,
    curve_rows,
    variant_rows,
)

SUFFIX = ".csv"
# Columns with texts that jobs chose, such as error messages and names of metrics. Ids and states
# are ours. Texts in the columns of parameters are the user's own, and stay as they are.
_UNTRUSTED = {"metric", *STATE_COLUMNS} - {"id", "state"}
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write(record: Record, target: Path, curves: bool) -> None:
    """Write a CSV file in UTF-8, whose first line names the columns."""
    rows: Iterable[dict[str, Any]]
    if curves:
        # There may be millions of these rows, so they are not collected in a list.
        rows, names = curve_rows(record), list(CURVE_COLUMNS)
    else:
        rows = list(variant_rows(record))
        names = columns(rows)
    with open(target, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([_no_formula(name) for name in names])
        for row in rows:
            writer.writerow([_cell(row.get(name), name in _UNTRUSTED) for name in names])


def _cell(value: Any, untrusted: bool) -> Any:
    """Return a value for csv.writer: a list as JSON, None as an empty cell, NaN as a word."""
    if value is None:
        return ""
    if isinstance(value, float):
        return numbers.encode(value)
    if isinstance(value, (list, dict)):
        return json_text(value)
    if untrusted and isinstance(value, str):
        return _no_formula(value)
    return value


def _no_formula(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula, which it would run."""
    if text.startswith(_FORMULA_STARTS):
        return "'" + text
    return text
