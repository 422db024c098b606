"""CSV: one line a variant, or with `curves` one line a value."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.records.record import Record
from jupyter_gridgpu.records.rows import CURVE, STATE, columns, curve_rows, rows

SUFFIX = ".csv"
WORDS = tuple(name for name in STATE if name not in ("id", "state"))  # some of them said by jobs
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(record: Record, target: Path, curves: bool) -> None:
    items = curve_rows(record) if curves else list(rows(record))
    names = list(CURVE) if curves else columns(items)
    with open(target, "w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow([safe(name) for name in names])
        for item in items:
            out.writerow(
                [_cell(item.get(name), name in WORDS or name == "metric") for name in names]
            )


def _cell(value: Any, said: bool) -> Any:
    """A value as a cell: lists and dicts as JSON, nothing as an empty cell, NaN as a word."""
    if value is None:
        return ""
    if isinstance(value, float):
        return numbers.encode(value)
    if isinstance(value, (list, dict)):
        return json.dumps(numbers.strict(value, mark=""), ensure_ascii=False)
    return safe(value) if said and isinstance(value, str) else value


def safe(text: str) -> str:
    """Return words that a job chose so that no spreadsheet takes them for a formula."""
    return "'" + text if text.startswith(_FORMULA) else text
