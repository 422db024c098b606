"""Tables of parameters: CSV and YAML files with one variant per row or mapping."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.opener import read_bounded, users_opener

TABLE_BYTES = 50 * 1024 * 1024
YAML_SUFFIXES = (".yaml", ".yml")
SUFFIXES = (".csv", *YAML_SUFFIXES)
_WORDS = {
    "true": True,
    "false": False,
    "nan": math.nan,
    "inf": math.inf,
    "infinity": math.inf,
    "-inf": -math.inf,
}


def read_table(path: Path) -> list[dict[str, Any]]:
    """Return the parameters of each variant in a CSV file or in a YAML file.

    Raises UsageError if the file cannot be read or is no table.
    """
    if path.suffix == ".csv":
        return _read_csv(path)
    return _read_yaml(path)


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > TABLE_BYTES:
            raise UsageError(f"{path} is larger than {TABLE_BYTES // 2**20} MB.")
        # Spreadsheets put three bytes (a BOM) before the text, which are no part of the first name.
        return read_bounded(path, TABLE_BYTES, users_opener).decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or "it is not text"
    except UnicodeDecodeError:
        reason = "it is not text"
    raise UsageError(f"{path} cannot be read: {reason}.")


def _read_yaml(path: Path) -> list[dict[str, Any]]:
    """Return the variants in a YAML file.

    A mapping is one variant. A list of mappings, or a mapping of names to mappings, is several.
    """
    # yaml is imported only here, since most commands read no tables.
    from jupyter_gridgpu.queues import bounded_yaml

    text = _read_text(path)
    try:
        body = bounded_yaml.load(text)
    except UsageError as error:
        raise UsageError(f"{path}, {error}.") from None
    variants = _yaml_variants(body)
    if not variants or not all(isinstance(params, dict) and params for params in variants):
        raise UsageError(
            f"{path} has no parameters: write a list of mappings, one for each variant."
        )
    return variants


def _yaml_variants(body: Any) -> list[Any]:
    """Return the items of a YAML file that should be variants. They are not checked yet."""
    if isinstance(body, list):
        return body
    # One variant may have a parameter whose value is a mapping. So values are taken for variants
    # only if all of them are mappings.
    if isinstance(body, dict) and body and all(isinstance(value, dict) for value in body.values()):
        return list(body.values())
    return [body]


def _read_csv(path: Path) -> list[dict[str, Any]]:
    """Return the variants in a CSV file, whose first line names the parameters."""
    try:
        rows = list(csv.reader(_read_text(path).splitlines()))
    except csv.Error as error:
        raise UsageError(f"{path} is no CSV: {error}.") from None
    names = _parameter_names(path, rows)
    variants = []
    for line_number, row in enumerate(rows[1:], 2):
        if len(row) > len(names):
            raise UsageError(f"{path}, line {line_number}: there are more values than names.")
        params = {}
        for name, cell in zip(names, row, strict=False):
            # An empty cell leaves the parameter at the notebook's own value.
            if cell.strip():
                params[name] = cell_value(cell)
        if params:
            variants.append(params)
    if not variants:
        raise UsageError(f"{path} has no line of values.")
    return variants


def _parameter_names(path: Path, rows: list[list[str]]) -> list[str]:
    """Return the names in the first line of a CSV file. Raises UsageError."""
    names = []
    if rows:
        names = [name.strip() for name in rows[0]]
    if not names or not all(names) or len(set(names)) != len(names):
        raise UsageError(f"{path}: the first line has to name the parameters, each once.")
    return names


def cell_value(cell: str) -> Any:
    """Return what a cell of a CSV file means: a truth value, a number, JSON, else a text."""
    text = cell.strip()
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return parse_json(text)
    except ValueError:
        # Not JSON, but numbers for Python: `.5`, `1.`, `+3`.
        return _number_or_text(text)


def _number_or_text(text: str) -> float | str:
    # `float` also accepts words like `+nan` and `-infinity`, which are texts here.
    if not text[-1:].isdigit() and not text.endswith("."):
        return text
    try:
        return float(text)
    except ValueError:
        return text
