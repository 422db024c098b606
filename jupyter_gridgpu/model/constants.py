"""Evaluates what a user wrote, and refuses constants that would take for ever, or all memory.

    9 ** 9 ** 9     a number of 370 million digits
    "a" * 10**10    a text of 10 GB

Only parts without names are looked at. What an expression computes from variables and functions is
the business of its author.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.plain_values import INTEGER_BITS

BITS_LIMIT = 10 * INTEGER_BITS  # of a number on the way to the value
ITEMS_LIMIT = 1_000_000  # characters or items of a constant
_UNKNOWN = object()
# Width and precision of a conversion in a text before `%`: those of `%(name)-8.3f` are 8 and 3.
_PERCENT = re.compile(r"%(?:\([^)]*\))?[-#0 +]*([0-9]*)(?:\.([0-9]+))?")
_SIGNS: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Invert: operator.invert,
}
_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
}


def evaluate(expression: ast.expr, scope: Mapping[str, Any]) -> Any:
    """Return the value of an expression. Raises SpaceError for whatever goes wrong in it."""
    if isinstance(expression, ast.NamedExpr):
        # The second name would be lost without a word.
        raise SpaceError("`:=` gives a second name; write one assignment a line.")
    check_constants(expression)
    try:
        # Some errors are found only here: `await` and `yield` belong into functions.
        code = compile(ast.Expression(expression), "<gridscan>", "eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise SpaceError(f"it is no value: {getattr(error, 'msg', error)}.") from None
    try:
        # It is the user's own cell in the user's own kernel, where it could run anything anyway.
        return eval(code, dict(scope))
    except SpaceError:
        raise
    except MemoryError:
        raise SpaceError("it takes more memory than there is.") from None
    except (Exception, SystemExit) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise SpaceError(f"{type(error).__name__}: {reason}.") from None


def check_constants(expression: ast.expr) -> None:
    """Raise SpaceError if a constant part of an expression is huge."""
    try:
        _check(expression)
    except RecursionError:
        raise SpaceError("it is nested too deeply.") from None


def _check(node: ast.AST) -> Any:
    """Return the value of a constant, else _UNKNOWN, after a look at all parts of the node."""
    if isinstance(node, ast.BinOp):
        return _binary(node)
    parts = [_check(child) for child in ast.iter_child_nodes(node)]
    if isinstance(node, ast.FormattedValue) and isinstance(node.format_spec, ast.JoinedStr):
        _check_format(node.format_spec)
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, (ast.List, ast.Tuple)):
        # The last part says whether the list is read or written.
        items = parts[:-1]
        if not any(item is _UNKNOWN for item in items):
            return items
    if isinstance(node, ast.UnaryOp) and isinstance(parts[1], (int, float)):
        sign = _SIGNS.get(type(node.op))
        if sign is not None and not (isinstance(parts[1], float) and sign is operator.invert):
            return sign(parts[1])
    return _UNKNOWN


def _binary(node: ast.BinOp) -> Any:
    left, right = _check(node.left), _check(node.right)
    compute = _OPERATORS.get(type(node.op))
    if compute is None or left is _UNKNOWN or right is _UNKNOWN:
        return _UNKNOWN
    if isinstance(left, (str, bytes)) and compute is operator.mod:
        # A text with `%` may ask for any width: "%999999999d" % 1, "%*d" % (999999999, 1).
        written = left if isinstance(left, str) else left.decode("latin-1")
        widths = [int(run[:9]) for runs in _PERCENT.findall(written) for run in runs if run]
        if "*" in written:
            widths += [item for item in _as_list(right) if isinstance(item, int)]
        _check_widths(widths, len(left))
        return _UNKNOWN
    _check_size(node.op, left, right)
    try:
        return compute(left, right)
    except (TypeError, ValueError, ArithmeticError):
        # The evaluation says what is wrong.
        return _UNKNOWN


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _check_format(spec: ast.JoinedStr) -> None:
    """Raise SpaceError if an f-string asks for a huge width, as f"{1:>999999999}" does."""
    widths: list[int] = []
    for part in spec.values:
        if isinstance(part, ast.Constant):
            widths += [int(run[:9]) for run in re.findall("[0-9]+", str(part.value))]
        elif isinstance(part, ast.FormattedValue):
            value = _check(part.value)
            widths += [value] if isinstance(value, int) else []
    _check_widths(widths, 0)


def _check_widths(widths: list[int], length: int) -> None:
    if length + sum(map(abs, widths)) > ITEMS_LIMIT:
        raise SpaceError("a text in it is too long.")


def _check_size(operation: ast.operator, left: Any, right: Any) -> None:
    """Raise SpaceError if the result of an operation is huge."""
    for one, other in ((left, right), (right, left)):
        if isinstance(one, (str, bytes, list)) and isinstance(other, int):
            if isinstance(operation, ast.Mult) and len(one) * other > ITEMS_LIMIT:
                raise SpaceError("a text or a list in it is too long.")
            return
    if not isinstance(left, int) or not isinstance(right, int):
        return
    bits = 0
    if isinstance(operation, ast.Pow) and abs(left) > 1:
        bits = left.bit_length() * right
    elif isinstance(operation, ast.LShift):
        bits = left.bit_length() + right
    elif isinstance(operation, ast.Mult):
        bits = left.bit_length() + right.bit_length()
    if bits > BITS_LIMIT:
        raise SpaceError("a number in it has too many digits.")
