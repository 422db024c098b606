"""Reads the rows of a file with points: CSV, a list in JSON, or an object of JSON a line."""

from __future__ import annotations

import ast
import contextlib
import csv
import io
import math
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.plain_values import NotPlain, plain
from jupyter_gridgpu.planning.parameter import short_text
from jupyter_gridgpu.store.access import why
from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.opener import read_bounded, users_opener

BYTES = 16_000_000  # of the largest file
CELL_LIMIT = 10_000  # characters
NUMBER_LIMIT = 400  # characters
JSON, JSON_LINES = (".json",), (".jsonl", ".ndjson")
SUFFIXES = (".csv", *JSON, *JSON_LINES)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WORDS: dict[str, Any] = {
    "true": True,
    "false": False,
    "none": None,
    "null": None,
    "nan": math.nan,
    "inf": math.inf,
    "-inf": -math.inf,
}


@dataclass(frozen=True)
class Cell:
    """What a file says of one parameter at one point."""

    readings: tuple[Any, ...]  # the values that it may mean, the likeliest first
    empty: bool = False  # whether it may say nothing


NOTHING = Cell((), empty=True)


@dataclass(frozen=True)
class PointRow:
    """What a file says of one point."""

    place: str  # like `points.csv, line 3`
    cells: dict[str, Cell]  # by parameter

    def refused(self, text: str) -> UsageError:
        """Return the error that something is wrong with this point."""
        return UsageError(f"{self.place}: {text}")


def rows(path: Path) -> Iterator[PointRow]:
    """Yield what a file says of each point. Raises UsageError."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(
            f"--points {path}: give a table (.csv), a list of objects (.json), or an object a line"
            " (.jsonl)."
        )
    text = _text(path)
    if suffix in JSON:
        return _json_rows(path, text)
    return _json_lines(path, text) if suffix in JSON_LINES else _csv_rows(path, text)


def _text(path: Path) -> str:
    try:
        # Spreadsheets put three bytes (a BOM) before the text, which are no part of the first name.
        return read_bounded(path, BYTES, users_opener).decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"--points {path} cannot be read: {why(error, path)}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"--points {path} is not UTF-8 text: save it as such.") from None


def _csv_rows(path: Path, text: str) -> Iterator[PointRow]:
    """Yield the rows of a CSV file, whose first line names the parameters."""
    lines = _csv_lines(path, text)
    number, first = next(lines, (1, []))
    names = [name.strip() for name in first]
    if len(names) == 1 and re.search("[;\t]", names[0]):
        raise UsageError(f"{path}, line {number}: put commas between the names and the values.")
    if not names or not all(names) or len(set(names)) != len(names):
        raise UsageError(
            f"{path}, line {number}: it has to name the parameters, each once, with commas between."
        )
    for number, cells in lines:
        place = f"{path}, line {number}"
        if len(cells) > len(names):
            raise UsageError(
                f"{place}: it has {len(cells)} values for {len(names)} names. A text with a comma"
                ' stands in quotes (").'
            )
        cells += [""] * (len(names) - len(cells))
        if any(len(cell) > CELL_LIMIT for cell in cells):
            raise UsageError(f"{place}: a value has more than {CELL_LIMIT:,} characters.")
        yield PointRow(place, dict(zip(names, map(read_cell, cells), strict=True)))


def _csv_lines(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield number and values of each line that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    number = 1
    try:
        for cells in reader:
            # A spreadsheet leaves commas where a line was emptied.
            if any(cell.strip() for cell in cells):
                yield number, cells
            number = reader.line_num + 1
    except csv.Error as error:
        raise UsageError(f"{path}, line {reader.line_num}: it is no CSV: {error}.") from None


def read_cell(text: str) -> Cell:
    """Return what a cell of a CSV file may mean: a value, or the very text."""
    stripped = text.strip()
    readings = [text] if text == stripped else [stripped, text]
    with contextlib.suppress(ValueError):
        readings.insert(0, _value(stripped))
    return Cell(tuple(readings), empty=not stripped)


def _value(text: str) -> Any:
    """Return the value that a text stands for. Raises ValueError if it is only a text."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _NUMBER.fullmatch(text) and len(text) <= NUMBER_LIMIT:
        return int(text) if text.lstrip("+-").isdigit() else float(text)
    if text[:1] not in ("[", "{", "(", '"', "'"):
        raise ValueError("it is a text")
    with contextlib.suppress(ValueError):
        return plain(parse_json(text))
    try:
        with warnings.catch_warnings():
            # Python warns of odd texts, such as "\\d". A user's table is no code.
            warnings.simplefilter("ignore")
            # As the lines of a cell have it: ['a', None], (1, 2).
            return plain(ast.literal_eval(text))
    except (SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError("it is a text") from error


def _json_rows(path: Path, text: str) -> Iterator[PointRow]:
    """Yield the objects of a JSON file, which is a list of them."""
    try:
        body = parse_json(text)
    except ValueError as error:
        raise UsageError(f"{path} is no JSON: {error}.") from None
    if not isinstance(body, list):
        raise UsageError(f'{path}: write a list of points, like [{{"lr": 0.1}}, {{"lr": 0.2}}].')
    for number, item in enumerate(body, 1):
        yield _object(f"{path}, point {number}", item)


def _json_lines(path: Path, text: str) -> Iterator[PointRow]:
    """Yield the objects of a file that has one a line."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            place = f"{path}, line {number}"
            try:
                yield _object(place, parse_json(line))
            except ValueError as error:
                raise UsageError(f"{place}: it is no JSON: {error}.") from None


def _object(place: str, item: Any) -> PointRow:
    """Return what an object says of a point. Raises UsageError."""
    if not isinstance(item, dict):
        raise UsageError(f'{place}: a point is an object, like {{"lr": 0.1}}.')
    cells = {}
    for name, value in item.items():
        try:
            # null is None where a parameter is active, and nothing where it is not.
            cells[name] = Cell((plain(value),), empty=value is None)
        except NotPlain as error:
            raise UsageError(f"{place}: {short_text(name)}: {error}") from None
    return PointRow(place, cells)
