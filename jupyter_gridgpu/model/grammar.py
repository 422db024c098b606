"""The cell body: Python lines that say which values each parameter takes.

    lr     = loguniform(1e-4, 1e-2)     a range, both ends included
    units  = [64, 128]                  a list is a choice
    seed   = repeats(3)                 every point three times
    epochs = 20                         a single value is fixed
    steps  = units // 8                 a value that follows from a parameter above
    if units > 64:                      a condition on parameters above
        dropout = uniform(0, 0.5)
    assert lr * units < 1               a constraint: other points do not count
    a, b   = together([(1, 2), (3, 4)]) values in rows

What reads no parameter of a line above is evaluated with the functions of axis_words.py and with
the names that the caller hands over: in a notebook, the variables of the user. What reads one
becomes an Expression, which is evaluated anew for each point. docs/space.md is the reference for
users.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Mapping
from typing import Any

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.axes import Repeats
from jupyter_gridgpu.model.axis_words import Rows, to_axis, together
from jupyter_gridgpu.model.cell_lines import CellReader, Place, listed, rows_of
from jupyter_gridgpu.model.expressions import DIGITS_ERROR
from jupyter_gridgpu.model.plain_values import is_text
from jupyter_gridgpu.model.space import Space
from jupyter_gridgpu.model.statements import Assign, Statement


def parse_space(body: str, names: Mapping[str, Any] | None = None) -> Space:
    """Return the Space that a cell body describes.

    `names` are the variables that expressions may use; the functions of axis_words.py win over
    them, and so do the parameters of lines above. Raises SpaceError, with the line, for anything
    that does not belong there or cannot be evaluated.
    """
    nodes = _nodes(body)
    reader = CellReader(names or {}, _lines_of_names(nodes))
    statements = reader.block(nodes, Place())
    _check(statements)
    return Space.of(statements, remarks=reader.remarks())


def space_of(values: Mapping[Any, Any]) -> Space:
    """Return the Space of a Python mapping, with the same rules as the cell body.

    `{"lr": [0.1, 0.2], "epochs": 20}` is a choice and a fixed value, and
    `{("units", "layers"): together([(64, 4), (128, 3)])}` are rows. Raises SpaceError.
    """
    statements: list[Statement] = []
    for name, value in values.items():
        names = name if isinstance(name, tuple) else (name,)
        shown = listed(tuple(map(str, names)))
        if not all(isinstance(one, str) for one in names):
            raise SpaceError(f"{shown}: names of parameters are texts, like 'lr'.")
        try:
            if isinstance(name, tuple):
                rows = value if isinstance(value, Rows) else together(value)
                statements.append(rows_of(name, rows))
            else:
                statements.append(Assign(name, to_axis(value)))
        except SpaceError as error:
            raise SpaceError(f"{shown}: {error}") from None
    _check(statements)
    return Space.of(statements)


def _check(statements: list[Statement]) -> None:
    """Raise SpaceError if there are no statements, or if more than one parameter repeats points."""
    if not statements:
        raise SpaceError("The space is empty: give at least one parameter, like lr = [1e-3, 1e-4].")
    repeated = [
        item.name
        for item in statements
        if isinstance(item, Assign) and isinstance(item.what, Repeats)
    ]
    if len(repeated) > 1:
        raise SpaceError(
            f"repeats() is given to {' and '.join(repeated)};"
            " only one parameter can be the repeated seed."
        )


def _nodes(body: str) -> list[ast.stmt]:
    """Return the lines of a cell body. Raises SpaceError if it is no Python."""
    if not is_text(body):
        raise SpaceError(
            "The space has bytes that are no UTF-8 (lone surrogates), which no notebook can hold:"
            " write these values again."
        )
    try:
        return _parsed(body).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        # Only a SyntaxError knows its line. The others come of code that is nested too deeply,
        # or that has a null byte in it.
        line = getattr(error, "lineno", None)
        where = f"Line {line}" if line else "The cell"
        if DIGITS_ERROR in str(error):
            raise SpaceError(f"{where}: a number has more than 4,000 digits.") from None
        if isinstance(error, (RecursionError, MemoryError)):
            raise SpaceError("A line of the cell is nested too deeply.") from None
        # Python asks back: "Maybe you meant '==' instead of '='?"
        text = f"{getattr(error, 'msg', error)}.".replace("?.", "?")
        raise SpaceError(
            f"{where} is not Python: {text} Write one assignment a line, like lr = [1e-3, 1e-4]."
        ) from None


def _parsed(body: str) -> ast.Module:
    """Return the syntax of a cell body, whose lines may all be indented."""
    try:
        return ast.parse(body)
    except IndentationError:
        return ast.parse(textwrap.dedent(body))


def _lines_of_names(nodes: list[ast.stmt]) -> dict[str, int]:
    """Return for each name that a line gives a value the first such line."""
    found: dict[str, int] = {}
    waiting = list(nodes)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.If):
            waiting[:0] = [*node.body, *node.orelse]
        for target in getattr(node, "targets", [getattr(node, "target", None)]):
            for part in getattr(target, "elts", [target]):
                if isinstance(part, ast.Name):
                    found.setdefault(part.id, node.lineno)
    return found
