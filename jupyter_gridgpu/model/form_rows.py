"""The rows of a form, and the lines of a cell that they stand for.

A row is a parameter, a condition, a constraint, values that come together, or lines that the form
shows as they are. Rows below a condition have a higher level, as lines of a cell are indented:

    if       optimizer == "sgd"       0
    momentum range 0.5 to 0.99        1        if optimizer == "sgd":
    else                              0   ->       momentum = uniform(0.5, 0.99)
    momentum fixed 0                  1        else:
                                                   momentum = 0
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from jupyter_gridgpu.model.expressions import names_of
from jupyter_gridgpu.model.form_cell import (
    ParameterEntry,
    ParameterFacts,
    assignments,
    one_value,
    read_entry,
    right_side,
    to_json,
)
from jupyter_gridgpu.model.statements import LEVELS
from jupyter_gridgpu.model.typed_values import TEXT_LIMIT, parsed_expression, typed_line

PARAMETER, IF, ELIF, ELSE, ASSERT, TOGETHER, TEXT = (
    "parameter", "if", "elif", "else", "assert", "together", "text",
)  # fmt: skip
KINDS_OF_ROWS = (PARAMETER, IF, ELIF, ELSE, ASSERT, TOGETHER, TEXT)
HEADERS = (IF, ELIF, ELSE)  # rows with a block of rows below them
ROWS_LIMIT = 600
NAMES_LIMIT = 20  # parameters that come together
TABLE_LIMIT = 200  # rows of their table
LINES_LIMIT = 20_000  # characters of a row of lines
INDENT = "    "


@dataclass(frozen=True)
class FormRow:
    """One row. Which of the fields count depends on `row`."""

    ident: str  # by which the browser knows the row
    row: str = PARAMETER  # one of KINDS_OF_ROWS
    level: int = 0
    text: str = ""  # a condition, a constraint, or lines
    note: str = ""  # a comment behind the line
    written: bool = False  # of a parameter: also where it has the notebook's own value
    entry: ParameterEntry | None = None
    names: tuple[str, ...] = ()  # that come together
    cells: tuple[tuple[str, ...], ...] = ()  # their values, as they were typed

    def given(self) -> tuple[str, ...]:
        """Return the parameters that the row gives values to."""
        if self.entry is not None:
            return (self.entry.name,)
        if self.row == TEXT:
            return _assigned_in(self.text)
        return self.names


class RowLine(NamedTuple):
    """A line of the cell, and the index of the row that it stands for."""

    text: str
    row: int


def read_rows(listed: object, known: Collection[str]) -> list[FormRow]:
    """Return the rows that a browser sent; those of parameters that are not `known` are left out.

    Whatever is missing or of a wrong type counts as empty.
    """
    if not isinstance(listed, list):
        return []
    bodies = (body for body in listed[:ROWS_LIMIT] if isinstance(body, dict))
    rows = (_read_row(body, known) for body in bodies)
    return settled([row for row in rows if row is not None])


def _read_row(body: Mapping[str, Any], known: Collection[str]) -> FormRow | None:
    kind = body.get("row")
    name = typed_line(body.get("name"))
    level = body.get("level")
    row = FormRow(
        typed_line(body.get("id")) or name,
        kind if isinstance(kind, str) and kind in KINDS_OF_ROWS else PARAMETER,
        level if type(level) is int and level > 0 else 0,
        note=typed_line(body.get("note")),
        written=body.get("written") is True,
    )
    if row.row == PARAMETER:
        return replace(row, entry=read_entry(name, body)) if name in known else None
    if row.row == TEXT:
        return replace(row, text=_lines_of(body.get("text")))
    if row.row != TOGETHER:
        return replace(row, text=typed_line(body.get("text")))
    names = [typed_line(item) for item in _list(body.get("names"), NAMES_LIMIT)]
    places = [place for place, name in enumerate(names) if name in known]
    cells = (_list(line, NAMES_LIMIT) for line in _list(body.get("cells"), TABLE_LIMIT))
    texts = ([typed_line(item) for item in line] + [""] * NAMES_LIMIT for line in cells)
    return replace(
        row,
        names=tuple(names[place] for place in places),
        cells=tuple(tuple(line[place] for place in places) for line in texts),
    )


def _list(value: object, limit: int) -> list[Any]:
    return value[:limit] if isinstance(value, list) else []


def _lines_of(text: object) -> str:
    """Return typed lines, each bounded, without what is not printed."""
    if not isinstance(text, str):
        return ""
    lines = text[:LINES_LIMIT].split("\n")
    return "\n".join(
        "".join(char if char.isprintable() else " " for char in line[:TEXT_LIMIT]).rstrip()
        for line in lines
    ).strip("\n")


def settled(rows: Sequence[FormRow]) -> list[FormRow]:
    """Return rows whose levels make sense: a row is deeper than the one above only below an if."""
    found: list[FormRow] = []
    for row in rows:
        highest = 0
        if found:
            above = found[-1]
            highest = above.level + (above.row in HEADERS)
        found.append(replace(row, level=min(row.level, highest, LEVELS + 1)))
    return found


def block_end(rows: Sequence[FormRow], start: int) -> int:
    """Return the index behind a row and all that belongs to it.

    To an `if` belong its branches; to any other row those below it that are deeper.
    """
    level, chained = rows[start].level, rows[start].row == IF
    for index in range(start + 1, len(rows)):
        row = rows[index]
        if row.level > level or (chained and row.level == level and row.row in (ELIF, ELSE)):
            continue
        return index
    return len(rows)


def cell_rows(
    rows: Sequence[FormRow],
    facts: Mapping[str, ParameterFacts],
    variables: Mapping[str, Any] | None = None,
) -> list[RowLine]:
    """Return the lines of a cell; the `=` of assignments below each other are aligned.

    The texts of the rows need not be sound: the form shows the cell while the user types.
    `facts` are of all parameters, by name.
    """
    read = _names_read(rows) - set(variables or {})
    found: list[RowLine] = []
    sides: list[tuple[int, str, str]] = []  # row, names and right side of assignments so far
    for index, row in enumerate(rows):
        pair = _assignment(row, facts, variables, read)
        if pair is not None:
            if sides and rows[sides[-1][0]].level != row.level:
                found += _aligned(rows, sides)
                sides = []
            sides.append((index, *pair))
        elif row.row != PARAMETER:
            found += _aligned(rows, sides)
            sides = []
            found += [RowLine(text, index) for text in _other_lines(rows, index)]
    found += _aligned(rows, sides)
    return _with_passes(rows, found)


def _assignment(
    row: FormRow,
    facts: Mapping[str, ParameterFacts],
    variables: Mapping[str, Any] | None,
    read: Collection[str],
) -> tuple[str, str] | None:
    """Return both sides of an assignment, or None for another row, or a value that is kept.

    A value that is kept is written nevertheless where another row reads it, or where the cell that
    the form was opened on has it.
    """
    if row.entry is not None:
        entry, about = row.entry, facts[row.entry.name]
        side = right_side(entry, about, variables)
        if side is None and about.default and (row.written or entry.name in read):
            side = one_value(about.default, about)
        return None if side is None else (entry.name, side)
    if row.row != TOGETHER:
        return None
    tuples = (", ".join(cells) for cells in row.cells)
    # A tuple of one value has a comma.
    comma = "," * (len(row.names) == 1)
    return ", ".join(row.names), f"together([{', '.join(f'({text}{comma})' for text in tuples)}])"


def _names_read(rows: Sequence[FormRow]) -> set[str]:
    """Return the names that conditions, constraints and single values read."""
    found: set[str] = set()
    for row in rows:
        text = row.text if row.row in (IF, ELIF, ASSERT) else ""
        if row.entry is not None and row.entry.kind == "fixed":
            text = row.entry.value
        expression = parsed_expression(text) if text else None
        if expression is not None:
            found |= names_of(expression)
    return found


def _aligned(rows: Sequence[FormRow], sides: Sequence[tuple[int, str, str]]) -> Iterator[RowLine]:
    # Two rows may give one name, which is an error of the user: so each row is written apart.
    width = max((len(names) for _, names, _ in sides), default=0)
    for index, names, side in sides:
        row = rows[index]
        line = assignments({f"{names:<{width}}": side})
        yield RowLine(INDENT * row.level + line + _note(row), index)


def _other_lines(rows: Sequence[FormRow], index: int) -> Iterator[str]:
    row = rows[index]
    before = INDENT * row.level
    if row.row == TEXT:
        yield from (before + line if line else "" for line in row.text.split("\n"))
    elif row.row == ELSE:
        yield f"{before}else:{_note(row)}"
    elif row.row == ASSERT:
        yield f"{before}assert {row.text}{_note(row)}"
    else:
        yield f"{before}{row.row} {row.text}:{_note(row)}"


def _note(row: FormRow) -> str:
    return f"  # {row.note}" if row.note else ""


def _with_passes(rows: Sequence[FormRow], lines: Sequence[RowLine]) -> list[RowLine]:
    """Return the lines with a `pass` below each condition under which there is none."""
    found: list[RowLine] = []
    for index, line in enumerate(lines):
        found.append(line)
        row = rows[line.row]
        if row.row in HEADERS and not _has_lines(rows, lines[index + 1 :], row.level):
            found.append(RowLine(INDENT * (row.level + 1) + "pass", line.row))
    return found


def _has_lines(rows: Sequence[FormRow], below: Sequence[RowLine], level: int) -> bool:
    """Return whether a line that is no comment stands in the block above a level."""
    block = itertools.takewhile(lambda line: rows[line.row].level > level, below)
    return any(line.text.strip() and not line.text.lstrip().startswith("#") for line in block)


def cell_text(lines: Sequence[RowLine]) -> str:
    """Return the body of the cell."""
    return "\n".join(line.text for line in lines)


def row_json(row: FormRow) -> dict[str, Any]:
    """Return a row as the browser gets it."""
    body: dict[str, Any] = {} if row.entry is None else to_json(row.entry)
    body |= {"id": row.ident, "row": row.row, "level": row.level, "note": row.note}
    if row.written:
        body["written"] = True
    if row.row == TOGETHER:
        body |= {"names": list(row.names), "cells": [list(cells) for cells in row.cells]}
    elif row.row not in (PARAMETER, ELSE):
        body["text"] = row.text
    if row.row == TEXT:
        body["names"] = list(row.given())
    return body


def _assigned_in(text: str) -> tuple[str, ...]:
    """Return the names that lines give values to."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    names = (
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )
    return tuple(dict.fromkeys(names))
