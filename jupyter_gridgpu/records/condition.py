"""Conditions on parameters and metrics, like `lr < 1e-3 and loss < 0.2`.

A condition is a Python expression of comparisons. Python parses the expression, but does not run
it: only the operations in this module are computed. So a condition from somebody else is harmless.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from jupyter_gridgpu.errors import UsageError

DEPTH_LIMIT = 50  # how deeply expressions may be nested
TEXT_SHOWN = 80  # characters of a condition in an error text
NAME_SHOWN = 60  # characters of a name in an error text
NAMES_SHOWN = 8  # the most names in an error text


def _is_in(value: Any, values: Any) -> bool:
    return value in values


def _is_not_in(value: Any, values: Any) -> bool:
    return value not in values


_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: _is_in,
    ast.NotIn: _is_not_in,
}
# Powers are left out: `9 ** 9 ** 9` would take for ever.
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_SIGNS = (ast.Not, ast.USub, ast.UAdd)
_MISSING = object()  # the value of a name that a variant does not have


class Condition:
    """A condition that was checked against the names of a scan."""

    def __init__(self, text: str, names: set[str]) -> None:
        """Parse `text`, which may use these names of parameters and metrics.

        Raises UsageError if the text is no condition or names something else.
        """
        self._text = text
        self._names = names
        try:
            self._root = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise self._not_understood() from None
        self._check(self._root, 0)

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Return whether the condition is true of a variant with these values by name.

        A comparison with a value that the variant does not have is not true. Raises UsageError if
        values of different kinds are compared.
        """
        try:
            return _value(self._root, values) is True
        except (TypeError, ArithmeticError, ValueError):
            raise UsageError(
                f"--only {self._text[:TEXT_SHOWN]!r} compares values of different kinds."
            ) from None

    def _check(self, node: ast.expr, depth: int) -> None:
        """Raise UsageError unless the expression has only known operations and known names."""
        if isinstance(node, ast.Name) and node.id not in self._names:
            known = ", ".join(sorted(self._names)[:NAMES_SHOWN])
            raise UsageError(
                f"--only: {node.id[:NAME_SHOWN]} is neither a parameter nor a metric of the scan; "
                f"it has {known}."
            )
        # A value alone, like `lr`, is an expression, but it is neither true nor false.
        if depth == 0 and not isinstance(node, (ast.Compare, ast.BoolOp, ast.UnaryOp)):
            raise self._not_understood()
        # The depth is bounded, since computing a deeper expression would exhaust Python's stack.
        if depth > DEPTH_LIMIT or not _is_allowed(node):
            raise self._not_understood()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self._check(child, depth + 1)

    def _not_understood(self) -> UsageError:
        return UsageError(
            f"--only {self._text[:TEXT_SHOWN]!r} is not understood; write ids like v0003,v0007, "
            "or a state like failed, or best 5, or a condition like 'lr < 1e-3'."
        )


def _is_allowed(node: ast.expr) -> bool:
    """Return whether a condition may have this operation. Its operands are checked elsewhere."""
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, _SIGNS)
    if isinstance(node, ast.BinOp):
        return type(node.op) in _ARITHMETIC
    if isinstance(node, ast.Compare):
        return all(type(comparison) in _COMPARISONS for comparison in node.ops)
    return isinstance(node, (ast.Name, ast.Constant, ast.List, ast.Tuple, ast.BoolOp))


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    """Compute a checked expression; `values` are those of one variant, by name.

    Raises TypeError, ArithmeticError or ValueError for values of kinds that do not go together.
    """
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return values.get(node.id, _MISSING)
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_value(item, values) for item in node.elts]
    if isinstance(node, ast.BoolOp):
        parts = [_value(part, values) is True for part in node.values]
        if isinstance(node.op, ast.And):
            return all(parts)
        return any(parts)
    if isinstance(node, ast.UnaryOp):
        return _with_sign(node.op, _value(node.operand, values))
    if isinstance(node, ast.BinOp):
        return _arithmetic(node, values)
    assert isinstance(node, ast.Compare)
    return _comparison(node, values)


def _with_sign(sign: ast.unaryop, value: Any) -> Any:
    """Return `not value`, `-value` or `+value`."""
    if isinstance(sign, ast.Not):
        # A comparison with a missing value is not true, so its opposite is true: `not acc > 0.6`
        # holds for a variant without `acc`.
        return value is not True
    if value is _MISSING or isinstance(sign, ast.UAdd):
        return value
    return -value


def _arithmetic(node: ast.BinOp, values: Mapping[str, Any]) -> Any:
    left, right = _value(node.left, values), _value(node.right, values)
    if left is _MISSING or right is _MISSING:
        return _MISSING
    # `"a" * 10**10` would fill the memory.
    if not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
        raise TypeError("arithmetic is for numbers")
    return _ARITHMETIC[type(node.op)](left, right)


def _comparison(node: ast.Compare, values: Mapping[str, Any]) -> bool:
    """Compute a comparison, or a chain of them like `0.1 < lr <= 0.3`."""
    sides = [_value(side, values) for side in (node.left, *node.comparators)]
    if any(side is _MISSING for side in sides):
        return False
    for comparison, left, right in zip(node.ops, sides[:-1], sides[1:], strict=True):
        if not _COMPARISONS[type(comparison)](left, right):
            return False
    return True
