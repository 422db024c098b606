"""Checks conditions, constraints and values that follow from others, as a user types them.

As the values of a form, such a text is looked at before the grammar reads it: a form runs nothing
that is typed. It may have what an Expression may have, and the notebook's variables.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Collection, Mapping
from typing import Any

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.expressions import Expression, names_of
from jupyter_gridgpu.model.operations import CALLS
from jupyter_gridgpu.model.plain_values import NotPlain, plain
from jupyter_gridgpu.model.typed_values import NAME_SHOWN, FieldError, parsed_expression

# What the grammar computes when it reads a cell; the form runs none of it.
_ONLY_CELL = (
    ast.Attribute,
    ast.Subscript,
    ast.JoinedStr,
    ast.Lambda,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)
_Names = Mapping[str, Any]


def reads_any(text: str, names: Collection[str]) -> bool:
    """Return whether a text is an expression that reads one of the names."""
    found = parsed_expression(text)
    return found is not None and not names_of(found).isdisjoint(names)


def check_formula(text: str, part: str, parameters: Collection[str], known: _Names) -> None:
    """Raise FieldError unless a text is an expression that is soon evaluated.

    `parameters` are those of the form, `known` the values of variables and of parameters that have
    one value. `part` names the input of the form.
    """
    found = parsed_expression(text)
    if found is None:
        raise FieldError("Not an expression of Python.", part, _meant(text))
    for node in ast.walk(found):
        _check_node(node, part, text, parameters, known)
    try:
        Expression(text)
    except SpaceError as error:
        raise FieldError(str(error), part) from None
    for node in _closed(found, set(parameters) - set(known)):
        _evaluate(node, part, known)


def _meant(text: str) -> str | None:
    """Return what was probably meant: `==` for one `=`, `and` for `&&`."""
    better = re.sub(r"(?<![=!<>])=(?!=)", "==", text)
    better = better.replace("&&", " and ").replace("||", " or ").replace("=<", "<=")
    better = re.sub(" +", " ", better)
    return better if better != text and parsed_expression(better) is not None else None


def _check_node(
    node: ast.AST, part: str, text: str, parameters: Collection[str], known: _Names
) -> None:
    """Raise FieldError for a part of an expression that the form does not look into."""
    if isinstance(node, ast.Name):
        if node.id in parameters or node.id in known or node.id in CALLS:
            return
        near = difflib.get_close_matches(node.id, parameters, n=1)
        meant = near[0] if near else f'"{node.id}"'
        better = re.sub(rf"\b{re.escape(node.id)}\b", lambda match: meant, text)
        raise FieldError(
            f"{node.id[:NAME_SHOWN]} is neither a parameter nor a variable with a value; a text"
            " stands in quotes.",
            part,
            better if parsed_expression(better) is not None else None,
        )
    # A variable of the user may hide a function.
    calls = isinstance(node, ast.Call)
    name = getattr(node.func, "id", None) if isinstance(node, ast.Call) else None
    if isinstance(node, _ONLY_CELL) or (calls and (name not in CALLS or name in known)):
        raise FieldError(
            "Only values, parameters, arithmetic and comparisons can be written here; the cell"
            " takes other expressions too.",
            part,
        )


def _closed(node: ast.expr, open_names: Collection[str]) -> list[ast.expr]:
    """Return the largest parts of an expression that read none of the names."""
    found: list[ast.expr] = []
    waiting: list[ast.AST] = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, ast.expr) and names_of(part).isdisjoint(open_names):
            found.append(part)
        else:
            waiting += ast.iter_child_nodes(part)
    return found


def _evaluate(node: ast.expr, part: str, known: _Names) -> None:
    """Evaluate what reads no parameter by the evaluator that has bounds. Raises FieldError.

    The grammar leaves such parts to Python, which would not come back from `9**9**9`.
    """
    read = names_of(node)
    if isinstance(node, (ast.Constant, ast.Name)) or not read <= set(known):
        return
    try:
        Expression(ast.unparse(node)).value({name: plain(known[name]) for name in read})
    except (NotPlain, SpaceError) as error:
        raise FieldError(str(error), part) from None
