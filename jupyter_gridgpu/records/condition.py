"""Conditions on parameters and metrics, like `lr < 1e-3 and loss < 0.2`.

They may have what the conditions of a space may have, and are evaluated by the same code, which
bounds what a text can cost. One thing differs: a variant may lack a value.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from jupyter_gridgpu.errors import SpaceError, UsageError
from jupyter_gridgpu.model.expressions import Expression, parse

TEXT_SHOWN = 80  # characters of a condition in an error text
NAME_SHOWN = 60  # characters of a name in an error text
NAMES_SHOWN = 8  # the most names in an error text
Test = Callable[[Mapping[str, Any]], bool]


class Condition:
    """A condition that was checked against the names of a scan."""

    def __init__(self, text: str, names: set[str]) -> None:
        """Parse `text`, which may use these names of parameters and metrics.

        Raises UsageError if the text is no condition or names something else.
        """
        self._text = text
        try:
            # Its bounds hold for the parts as well.
            read = Expression(text).names
            root = parse(text)
        except SpaceError as error:
            raise self._not_understood(f" ({str(error).rstrip('.')})") from None
        for name in sorted(read - names):
            rest = ["…"] if len(names) > NAMES_SHOWN else []
            known = ", ".join([*sorted(names)[:NAMES_SHOWN], *rest])
            raise UsageError(
                f"--only: {name[:NAME_SHOWN]} is neither a parameter nor a metric of the scan; "
                f"it has {known}."
            )
        # A value alone, like `lr`, is an expression, but it is neither true nor false.
        if not isinstance(root, (ast.Compare, ast.BoolOp)) and not _is_not(root):
            raise self._not_understood("")
        self._holds = _test(root)

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Return whether the condition is true of a variant with these values by name.

        A comparison with a value that the variant does not have is not true. Raises UsageError if
        there is no telling, as for `lr < "a"`.
        """
        try:
            return self._holds(values)
        except SpaceError as error:
            raise UsageError(f"--only: {error}") from None

    def _not_understood(self, reason: str) -> UsageError:
        return UsageError(
            f"--only {self._text[:TEXT_SHOWN]!r} is not understood{reason}; write ids like"
            " v0003,v0007, or a state like failed, or best 5, or a condition like 'lr < 1e-3'."
        )


def _is_not(node: ast.expr) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)


def _test(node: ast.expr) -> Test:
    """Return the function that tells whether a part of a condition is true of a variant."""
    if isinstance(node, ast.BoolOp):
        parts = [_test(part) for part in node.values]
        every = all if isinstance(node.op, ast.And) else any
        return lambda values: every(part(values) for part in parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        # A comparison with a missing value is not true, so its opposite is true: `not acc > 0.6`
        # holds for a variant without `acc`.
        part = _test(node.operand)
        return lambda values: not part(values)
    compared = Expression(ast.unparse(node))

    def holds(values: Mapping[str, Any]) -> bool:
        return compared.names <= values.keys() and compared.value(values) is True

    return holds
