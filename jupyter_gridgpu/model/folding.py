"""Makes an Expression of what a line of a cell computes from parameters.

A stored expression reads parameters alone. What it has from elsewhere becomes a constant of it when
the cell is read: the notebook's variables, and parts that read no parameter and call something.

    units <= limits["units"]         units <= 512
    batch // len(devices)            batch // 4
"""

from __future__ import annotations

import ast
import builtins
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.expressions import NODES_LIMIT, Expression, names_of
from jupyter_gridgpu.model.operations import TOO_LARGE
from jupyter_gridgpu.model.plain_values import NotPlain, plain

# Parts with names of their own.
_SCOPES = (ast.DictComp, ast.GeneratorExp, ast.Lambda, ast.ListComp, ast.SetComp)
# Parts that an Expression cannot have. Where they read no parameter, their value stands for them.
_COMPUTED = (ast.Attribute, ast.Call, ast.JoinedStr, ast.Subscript, *_SCOPES)
# Parts around them that are computed as a whole, since `x` may be there only if `y` holds in
# `table["x"] if y else 3`.
_AROUND = (ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.List, ast.Tuple, ast.UnaryOp)
Evaluate = Callable[[ast.expr], Any]


def folded(
    expression: ast.expr,
    parameters: Collection[str],
    variables: Mapping[str, Any],
    evaluate: Evaluate,
) -> Expression:
    """Return an Expression that reads parameters alone. Raises SpaceError if there is none.

    `evaluate` returns the value of a part without parameters.
    """
    try:
        made = _Folder(parameters, variables, evaluate).visit(expression)
        # One text for what means the same, however it was written: the fingerprint is made of it.
        return Expression(ast.unparse(made))
    except RecursionError:
        raise SpaceError("it is nested too deeply.") from None
    except ValueError:
        # Python writes no number of any length, as 0xfff... may have it.
        raise SpaceError(f"{TOO_LARGE}.") from None


class _Folder(ast.NodeTransformer):
    def __init__(
        self, parameters: Collection[str], variables: Mapping[str, Any], evaluate: Evaluate
    ) -> None:
        self._parameters = parameters
        self._variables = variables
        self._evaluate = evaluate

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Name):
            return self._name(node)
        reads = not names_of(node).isdisjoint(self._parameters)
        if isinstance(node, ast.expr) and not reads and _is_computed(node):
            return constant(self._evaluate(node), ast.unparse(node))
        if isinstance(node, (ast.NamedExpr, *_SCOPES)):
            # The Expression refuses it as a whole.
            return node
        if isinstance(node, ast.Call):
            # The word before the parentheses is no name that is read.
            node.args = [self.visit(part) for part in node.args]
            return node
        return self.generic_visit(node)

    def _name(self, node: ast.Name) -> ast.expr:
        if node.id in self._parameters:
            return node
        if node.id in self._variables:
            return constant(self._variables[node.id], node.id)
        raise SpaceError(f"{node.id} is neither a parameter in a line above nor a variable.")


def builtin_in(test: ast.expr, variables: Collection[str]) -> str | None:
    """Return a name in a condition that means a function of Python, as `id` in `id == 3`.

    Arguments are left out, as `int` in `isinstance(k, int)`, and so is `type(k) == int`.
    """
    waiting: list[ast.AST] = [test]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and node.id not in variables and hasattr(builtins, node.id):
            return node.id
        parts = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.Compare) and any(isinstance(part, ast.Call) for part in parts):
            continue
        if not isinstance(node, (ast.Call, ast.Attribute, ast.Subscript, *_SCOPES)):
            waiting += parts
    return None


def _is_computed(node: ast.AST) -> bool:
    """Return whether a part has to be computed by Python."""
    if isinstance(node, _AROUND):
        return any(isinstance(part, _COMPUTED) for part in ast.walk(node))
    return isinstance(node, _COMPUTED)


def constant(value: Any, source: str) -> ast.expr:
    """Return the syntax of a plain value. Raises SpaceError, with the source, for any other."""
    try:
        return _constant(plain(value), [NODES_LIMIT])
    except NotPlain as error:
        raise SpaceError(f"`{source[:40]}`: {error}") from None


def _constant(value: Any, left: list[int]) -> ast.expr:
    """Return the syntax of a value; `left` counts how many more parts it may have."""
    left[0] -= 1
    if left[0] < 0:
        raise NotPlain(f"it has more than {NODES_LIMIT:,} parts.")
    if isinstance(value, list):
        return ast.List([_constant(item, left) for item in value], ast.Load())
    if isinstance(value, dict):
        raise NotPlain("a dict cannot stand where a parameter is read.")
    if isinstance(value, float) and math.isnan(value):
        raise NotPlain("it is not a number (NaN).")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        # A sign is an operator for Python: it must not bind to what comes after the number.
        number = ast.Constant(abs(value))
        return ast.UnaryOp(ast.USub(), number) if math.copysign(1, value) < 0 else number
    return ast.Constant(value)
