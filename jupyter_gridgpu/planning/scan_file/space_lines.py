"""The lines of a space that a file can hold: without variables, and without code.

A line that has such parts gets the values that they have now. Comments stay.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model import space_record
from jupyter_gridgpu.model.grammar import parse_space, space_of
from jupyter_gridgpu.model.numbers import encode_all
from jupyter_gridgpu.model.space import Space
from jupyter_gridgpu.model.space_cell import cell_body, right_side
from jupyter_gridgpu.model.statements import Assign, Statement, Together, When
from jupyter_gridgpu.planning import declarative
from jupyter_gridgpu.planning.space_apart import space_apart


def lines_of(space: Any, variables: Mapping[str, Any] | None) -> str:
    """Return the lines that describe a space: those of the user, as far as they can stay.

    `space` is the lines of a cell, a mapping or a Space. Raises SpaceError.
    """
    if isinstance(space, Space):
        return cell_body(space)
    if not isinstance(space, str):
        return cell_body(space_of(space))
    wanted = space_apart(space) if variables is None else parse_space(space, variables)
    if _means(space, wanted):
        return space
    filled = _filled(space, wanted)
    if filled is not None and _means(filled, wanted):
        return filled
    return cell_body(wanted)


def alike(one: str, other: str) -> bool:
    """Return whether the lines of two files mean the same."""
    if one.strip() == other.strip():
        return True
    return _meaning(one) is not None and _meaning(one) == _meaning(other)


def _means(lines: str, wanted: Space) -> bool:
    """Return whether a file with these lines describes this space."""
    return _meaning(lines) == _said(wanted)


@lru_cache(maxsize=100)  # it may take a process
def _meaning(lines: str) -> str | None:
    """Return what lines describe, or None if a file cannot have them."""
    if declarative.other_code(lines) is not None:
        return None
    try:
        return _said(space_apart(lines))
    except SpaceError:
        return None


def _said(space: Space) -> str:
    """Return what the lines of a space say, without the notebook's own values."""
    items = [item for item in space_record.to_json(space) if item.get("kind") != "default"]
    # A NaN equals nothing, so texts are compared.
    return json.dumps(encode_all(items))


def _filled(lines: str, wanted: Space) -> str | None:
    """Return the lines with the values of those right sides that a file cannot have.

    The answer is None where it is not plain which statement of the space a line has become.
    """
    tree = ast.parse(lines)
    sides = _sides(wanted.body)
    rows = lines.splitlines()
    nodes = [node for node in ast.walk(tree) if isinstance(node, (ast.Assign, ast.AnnAssign))]
    given = {name for name in sides if name}
    # From the last to the first, since a change moves what comes after it in its line.
    for node in sorted(nodes, key=lambda node: -node.lineno):
        value, target = node.value, _name(node)
        if value is None or sides.get(target) is None:
            return None
        if _stands_alone(value, given):
            continue
        first, last = value.lineno - 1, (value.end_lineno or value.lineno) - 1
        # Offsets count bytes.
        before = rows[first].encode()[: value.col_offset].decode()
        after = rows[last].encode()[value.end_col_offset or 0 :].decode()
        rows[first : last + 1] = [f"{before}{sides[target]}{after}"]
    return "\n".join(rows)


def _stands_alone(value: ast.expr, given: set[str]) -> bool:
    """Return whether a right side has neither variables nor code."""
    text = ast.unparse(value)
    nodes = list(ast.walk(value))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    # Those of a comprehension, and functions, are known.
    known = given | {node.id for node in names if isinstance(node.ctx, ast.Store)}
    known |= {getattr(node.func, "id", "") for node in nodes if isinstance(node, ast.Call)}
    return declarative.other_code(text) is None and all(node.id in known for node in names)


def _sides(statements: tuple[Statement, ...]) -> dict[str, str | None]:
    """Return the right side of each target; None for one that several lines give."""
    found: dict[str, str | None] = {}
    for item in statements:
        if isinstance(item, When):
            for name, side in (*_sides(item.statements).items(), *_sides(item.otherwise).items()):
                found[name] = None if name in found else side
        elif isinstance(item, (Assign, Together)):
            target = item.name if isinstance(item, Assign) else ", ".join(item.names)
            found[target] = None if target in found else right_side(item)
    return found


def _name(node: ast.Assign | ast.AnnAssign) -> str:
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    parts = getattr(target, "elts", [target])
    return ", ".join(getattr(part, "id", "") for part in parts)
