"""The space as scan.json keeps it: a list of statements, in the order of the cell.

A plain space, of axes alone, looks as it always did. Anything else needs format 3, since an earlier
version would pass over what it does not know, and run other points.
"""

from __future__ import annotations

import sys
from typing import Any

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.axes import GRID_LIMIT, Axis, Choice, Fixed, Range, Repeats, axis_size
from jupyter_gridgpu.model.expressions import SOURCE_LIMIT, Expression
from jupyter_gridgpu.model.fields import Fields, is_bounded, shown
from jupyter_gridgpu.model.space import SIZE_LIMIT, Space, is_parameter_name
from jupyter_gridgpu.model.statements import (
    LEVELS,
    STATEMENTS_LIMIT,
    TOO_DEEP,
    TOO_MANY,
    Assign,
    Derived,
    Require,
    Statement,
    Together,
    When,
)

PLAIN_FORMAT = 2
STATEMENTS_FORMAT = 3
_AXES = ("fixed", "choice", "range", "repeats")


def format_of(space: Space) -> int:
    """Return the format that a scan.json with this space must have."""
    new = any(
        (isinstance(axis, Range) and axis.step is not None)
        or (isinstance(axis, Choice) and axis.ordered)
        for axis in space.axes.values()
    )
    return STATEMENTS_FORMAT if new or space.statements else PLAIN_FORMAT


def to_json(space: Space) -> list[dict[str, Any]]:
    """Return the space as scan.json keeps it: a list, because the order of the cell matters."""
    defaults = [
        {"name": name, "kind": "default", "value": value} for name, value in space.defaults.items()
    ]
    return defaults + [_statement_json(statement) for statement in space.body]


def _statement_json(statement: Statement) -> dict[str, Any]:
    if isinstance(statement, When):
        return {
            "kind": "when",
            "condition": statement.condition.text,
            "statements": [_statement_json(inner) for inner in statement.statements],
            "otherwise": [_statement_json(inner) for inner in statement.otherwise],
        }
    if isinstance(statement, Require):
        return {"kind": "require", "condition": statement.condition.text}
    if isinstance(statement, Together):
        rows = [list(row) for row in statement.rows]
        return {"kind": "together", "names": list(statement.names), "rows": rows}
    if isinstance(statement.what, Derived):
        return {"name": statement.name, "kind": "derived", "value": statement.what.expression.text}
    return {"name": statement.name, **_axis_json(statement.what)}


def _axis_json(axis: Axis) -> dict[str, Any]:
    """Return an axis as scan.json keeps it, without the name."""
    if isinstance(axis, Fixed):
        return {"kind": "fixed", "value": axis.value}
    if isinstance(axis, Choice):
        values = list(axis.values)
        return {"kind": "choice", "values": values, **({"ordered": True} if axis.ordered else {})}
    if isinstance(axis, Repeats):
        return {"kind": "repeats", "count": axis.count}
    return {
        "kind": "range",
        "low": axis.low,
        "high": axis.high,
        "log": axis.log,
        "whole": axis.whole,
        **({} if axis.step is None else {"step": axis.step}),
    }


def from_json(items: list[Fields]) -> Space:
    """Return the space that `to_json` wrote, of which each item is one statement.

    Raises DamagedRecord if it is not sound, SpaceError for what only a later version knows, and for
    statements that make no sense.
    """
    defaults: dict[str, Any] = {}
    rest: list[Fields] = []
    for item in items:
        if item.text("kind", "") == "default":
            item.need("value")
            defaults[_name(item)] = numbers.decode_all(item.value("value"))
        else:
            rest.append(item)
    statements = _statements_from(rest, 0, [STATEMENTS_LIMIT])
    plain: dict[str, Axis] = {}
    for statement, item in zip(statements, rest):
        if isinstance(statement, Assign) and not isinstance(statement.what, Derived):
            if statement.name in plain:
                raise item.wrong("name", "the name of another parameter")
            plain[statement.name] = statement.what
    if sum(isinstance(axis, Repeats) for axis in plain.values()) > 1:
        raise SpaceError("More than one parameter of the scan repeats its points.")
    return Space.of(statements, defaults)


def _name(item: Fields) -> str:
    name = numbers.decode_all(item.text("name"))
    if not isinstance(name, str) or not is_parameter_name(name):
        raise item.wrong("name", "the name of a parameter")
    return name


def _statements_from(items: list[Fields], level: int, left: list[int]) -> list[Statement]:
    if level > LEVELS:
        raise SpaceError(TOO_DEEP)
    return [_statement_from(item, level, left) for item in items]


def _statement_from(item: Fields, level: int, left: list[int]) -> Statement:
    """Return the statement that `_statement_json` wrote. Raises DamagedRecord or SpaceError.

    `left` counts how many more statements there may be that are no axes: each costs some time.
    """
    # A plain item has a name first: a record without any is damaged, whatever its kind.
    kind = item.text("kind") if "name" not in item.names() else item.text("kind", "")
    if kind not in _AXES:
        left[0] -= 1
        if left[0] < 0:
            raise SpaceError(TOO_MANY)
    if kind == "when":
        return When(
            _expression(item, "condition"),
            tuple(_statements_from(item.inner_list("statements"), level + 1, left)),
            tuple(_statements_from(item.inner_list("otherwise"), level + 1, left)),
        )
    if kind == "require":
        return Require(_expression(item, "condition"))
    if kind == "together":
        return _together_from(item)
    name = _name(item)
    if kind == "derived":
        return Assign(name, Derived(_expression(item, "value")))
    return Assign(name, _axis_from(item, name))


def _expression(item: Fields, key: str) -> Expression:
    text = numbers.decode_all(item.text(key, limit=SOURCE_LIMIT, what="an expression"))
    if not isinstance(text, str):
        raise item.wrong(key, "an expression")
    return Expression(text)


def _together_from(item: Fields) -> Together:
    names = item.texts("names", form=is_parameter_name, what="the name of a parameter")
    decoded = tuple(numbers.decode_all(name) for name in names)
    if not names or not all(isinstance(name, str) for name in decoded):
        raise item.wrong("names", "a list of names of parameters")
    rows = item.items("rows")
    sound = rows and is_bounded(rows)
    if not sound or not all(isinstance(row, list) and len(row) == len(names) for row in rows):
        raise item.wrong("rows", "a list of rows, each with a value for each name")
    return Together(decoded, tuple(tuple(row) for row in numbers.decode_all(rows)))


def _axis_from(item: Fields, name: str) -> Axis:
    """Return the axis that `_axis_json` wrote. Raises DamagedRecord or SpaceError."""
    kind = item.text("kind")
    if kind == "fixed":
        item.need("value")
        return Fixed(numbers.decode_all(item.value("value")))
    if kind == "choice":
        values = item.items("values")
        if not values or not is_bounded(values):
            raise item.wrong("values", "a list of some values")
        return Choice(tuple(numbers.decode_all(values)), item.truth("ordered", False))
    if kind == "repeats":
        return Repeats(item.whole("count", 1, GRID_LIMIT))
    if kind == "range":
        return _range_from(item)
    raise SpaceError(
        f"This version does not know the kind of axis {shown(kind)}"
        f" that the scan uses for {shown(name)}."
    )


def _range_from(item: Fields) -> Range:
    """Return a range. Raises DamagedRecord if its ends cannot be those of one."""
    largest = sys.float_info.max
    log, whole = item.truth("log"), item.truth("whole")
    low = item.number("low", -largest, largest)
    high = item.number("high", low, largest)
    if log and low <= 0:
        raise item.wrong("low", "larger than 0, since the range is even in the logarithm")
    step = item.maybe("step", item.number, 0, largest)
    made = Range(low, high, log, whole, step)
    if step is not None:
        fits = not log and step > 0 and (not whole or float(step).is_integer())
        if not fits or (axis_size(made) or 0) > SIZE_LIMIT:
            raise item.wrong("step", "a step that leads from `low` to `high`")
    return made
