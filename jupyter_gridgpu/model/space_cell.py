"""Writes a space as the body of a cell, so that the cell means the same space again."""

from __future__ import annotations

import ast
import keyword
import math
from collections.abc import Iterable
from typing import Any

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.axes import Axis, Choice, Fixed, Range, Repeats
from jupyter_gridgpu.model.expressions import Expression, parse
from jupyter_gridgpu.model.form_cell import RANGE_WORDS, assignments, python_text
from jupyter_gridgpu.model.space import Space
from jupyter_gridgpu.model.statements import Assign, Derived, Require, Statement, Together, When

INDENT = "    "


def cell_body(space: Space) -> str:
    """Return the lines of a cell that describe a space.

    Raises SpaceError if a parameter has a name that no line of Python can give a value.
    """
    for name in space:
        if not name.isidentifier() or keyword.iskeyword(name):
            raise SpaceError(f"{name} is no name in Python, so no cell can give it a value.")
    return "\n".join(_lines(space.body))


def _lines(statements: Iterable[Statement]) -> list[str]:
    """Return the lines of some statements; assignments below each other have their `=` aligned."""
    found: list[str] = []
    sides: dict[str, str] = {}
    for statement in statements:
        if isinstance(statement, Assign):
            sides[statement.name] = right_side(statement)
        elif isinstance(statement, Together):
            sides[", ".join(statement.names)] = right_side(statement)
        else:
            found += _aligned(sides)
            sides = {}
            found += _block(statement)
    return found + _aligned(sides)


def _aligned(sides: dict[str, str]) -> list[str]:
    return assignments(sides).splitlines() if sides else []


def _block(statement: When | Require, word: str = "if") -> list[str]:
    if isinstance(statement, Require):
        return [f"assert {_expression(statement.condition)}"]
    found = [f"{word} {_expression(statement.condition)}:"]
    found += [INDENT + line for line in _lines(statement.statements) or ["pass"]]
    other = statement.otherwise
    if len(other) == 1 and isinstance(other[0], When):
        return found + _block(other[0], "elif")
    if other:
        found += ["else:", *(INDENT + line for line in _lines(other))]
    return found


def right_side(statement: Assign | Together) -> str:
    """Return what stands right of the `=` of a statement."""
    if isinstance(statement, Together):
        return _rows(statement)
    return _right_side(statement.what)


def _expression(expression: Expression) -> str:
    """Return an expression as it can stand in a line: without comments, in one line."""
    text = expression.text.strip()
    # `a, b` needs parentheses.
    simple = text.isprintable() and "#" not in text and not isinstance(parse(text), ast.Tuple)
    return text if simple else ast.unparse(parse(text))


def _right_side(what: Axis | Derived) -> str:
    """Return what stands right of the `=`."""
    if isinstance(what, Derived):
        text = _expression(what.expression)
        # A bare list could be several values.
        is_list = isinstance(parse(text), (ast.List, ast.Tuple))
        return f"fixed({text})" if is_list else text
    if isinstance(what, Fixed):
        text = value_text(what.value)
        return f"fixed({text})" if isinstance(what.value, list) else text
    if isinstance(what, Choice):
        text = value_text(list(what.values))
        return f"ordinal({text})" if what.ordered else text
    if isinstance(what, Repeats):
        return f"repeats({what.count})"
    return _range(what)


def axis_text(axis: Axis) -> str:
    """Return an axis as a cell has it: what stands right of the `=`."""
    return _right_side(axis)


def _range(axis: Range) -> str:
    ends = f"{value_text(axis.low)}, {value_text(axis.high)}"
    step = "" if axis.step is None else f", step={value_text(axis.step)}"
    return f"{RANGE_WORDS[axis.whole, axis.log]}({ends}{step})"


def _rows(statement: Together) -> str:
    rows = (", ".join(value_text(value) for value in row) for row in statement.rows)
    return f"together([{', '.join(f'({row})' for row in rows)}])"


def value_text(value: Any) -> str:
    """Return a plain value as a cell has it; also a NaN, which Python cannot write by itself."""
    if isinstance(value, list):
        return f"[{', '.join(map(value_text, value))}]"
    if isinstance(value, dict):
        pairs = (f"{python_text(key)}: {value_text(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, float) and math.isnan(value):
        return 'float("nan")'
    return python_text(value)
