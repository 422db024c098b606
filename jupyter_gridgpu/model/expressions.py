"""Texts that read parameters: the conditions, constraints and derived values of a space.

    optimizer == "sgd" and units * layers <= 400
    batch // 4

A stored scan, a file or a form may hold any text, so Python itself never evaluates them. An
Expression is compiled once into functions that call each other, and each of these functions knows
what it may take: no text runs longer, or takes more memory, than its length allows.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model import operations
from jupyter_gridgpu.model.operations import BINARY, COMPARISONS, IDENTITY, SIGNS, NoValue, Run

SOURCE_LIMIT = 10_000  # characters
NODES_LIMIT = 2_000  # operations, names and constants
# Levels of parentheses and operators in each other; a sum has one for each of its terms.
DEPTH_LIMIT = 100
DIGITS_ERROR = "integer string conversion"  # a part of what Python says of too many digits
QUOTED_LIMIT = 60  # characters of an expression that a sentence quotes
_CONSTANTS = (bool, int, float, str, type(None))


@dataclass(frozen=True)
class Expression:
    """A text that reads parameters. Raises SpaceError if it has more than an expression may."""

    text: str

    def __post_init__(self) -> None:
        _ = self._compiled

    def __reduce__(self) -> tuple[Any, ...]:
        return Expression, (self.text,)

    @cached_property
    def names(self) -> frozenset[str]:
        """The names that it reads."""
        return names_of(parse(self.text))

    @property
    def size(self) -> int:
        """How many operations, names and constants it has: a measure of what it costs."""
        return self._compiled[1]

    @cached_property
    def _compiled(self) -> tuple[Run, int]:
        compiler = _Compiler()
        try:
            return compiler.compile(parse(self.text), 0), compiler.nodes
        except NoValue as fault:
            raise SpaceError(f"{quoted(self.text)}: {fault}.") from None

    def value(self, values: Mapping[str, Any]) -> Any:
        """Return the value, where names have the given values. Raises SpaceError if it has none."""
        try:
            return self._compiled[0](values)
        except NoValue as fault:
            raise SpaceError(f"{quoted(self.text)}: {fault}{self._where(values)}.") from None
        except KeyError as error:
            raise SpaceError(f"{quoted(self.text)}: {error.args[0]} has no value here.") from None

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Return whether the value counts as true. Raises SpaceError if there is none."""
        return bool(self.value(values))

    def decision(self, known: Mapping[str, Any]) -> bool | None:
        """Return whether it holds at all points, or None if the known values do not tell."""
        if not self.names <= set(known):
            return None
        try:
            return self.holds(known)
        except SpaceError:
            # It is said where a point is made, since the line may be one that never counts.
            return None

    def _where(self, values: Mapping[str, Any]) -> str:
        """Return the end of a complaint: the values of the names, if there are few."""
        known = [f"{name} = {values[name]!r}" for name in sorted(self.names) if name in values]
        listed = ", ".join(known)
        return f", where {listed}" if known and len(listed) <= QUOTED_LIMIT else ""


def parse(text: str) -> ast.expr:
    """Return the syntax of an expression. Raises SpaceError if it has none, or is too long."""
    if len(text) > SOURCE_LIMIT:
        raise SpaceError(f"{quoted(text)}: it has more than {SOURCE_LIMIT:,} characters.")
    try:
        with warnings.catch_warnings():
            # The parser warns of odd escapes in texts, which do no harm here.
            warnings.simplefilter("ignore")
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        reason = getattr(error, "msg", str(error))
        if DIGITS_ERROR in reason:
            reason = operations.TOO_LARGE
        raise SpaceError(f"{quoted(text)}: {reason}.") from None
    except (RecursionError, MemoryError):
        raise SpaceError(f"{quoted(text)}: it is nested too deeply.") from None


def quoted(text: str) -> str:
    """Return the beginning of an expression as a sentence quotes it."""
    line = " ".join(text[: 4 * QUOTED_LIMIT].split())
    return f"`{line if len(line) <= QUOTED_LIMIT else line[: QUOTED_LIMIT - 1] + '…'}`"


def names_of(expression: ast.AST) -> frozenset[str]:
    """Return the names that an expression reads.

    The word before the parentheses of a call is no such name, and neither is a name that the
    expression itself gives a value, as the `i` of `[2**i for i in range(3)]`.
    """
    read: set[str] = set()
    given: set[str] = set()
    # No recursion: a long sum is nested as deeply as it has terms.
    waiting = [expression]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else given).add(node.id)
        elif isinstance(node, ast.arg):
            given.add(node.arg)
        children = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            children.remove(node.func)
        waiting.extend(children)
    return frozenset(read - given)


class _Compiler:
    """Makes functions of the syntax of an expression. Raises NoValue for what it must not have."""

    def __init__(self) -> None:
        self.nodes = 0
        self.reads = 0  # how often a name is read

    def compile(self, node: ast.expr, depth: int) -> Run:
        """Return the function of a node that lies `depth` levels deep."""
        self.nodes += 1
        reads = self.reads
        if depth > DEPTH_LIMIT:
            raise NoValue("it is nested too deeply")
        if self.nodes > NODES_LIMIT:
            raise NoValue(f"it has more than {NODES_LIMIT:,} parts")
        if isinstance(node, ast.Constant):
            return _constant(node.value)
        if isinstance(node, ast.Name):
            self.reads += 1
            return operations.name(node.id)
        # A method that handles this kind of node, for example _binop. All others are refused.
        handle = getattr(self, f"_{type(node).__name__.lower()}", None)
        if handle is None:
            raise NoValue(_refusal(node))
        made: Run = handle(node, depth + 1)
        is_list = isinstance(node, (ast.List, ast.Tuple))
        return made if is_list or self.reads > reads else _computed(made)

    def _all(self, nodes: list[ast.expr], depth: int) -> list[Run]:
        return [self.compile(node, depth) for node in nodes]

    def _binop(self, node: ast.BinOp, depth: int) -> Run:
        operation = BINARY.get(type(node.op))
        if operation is None:
            raise NoValue("only the operators + - * / // % ** can stand here")
        for side in (node.left, node.right):
            is_text = isinstance(side, (ast.Constant, ast.JoinedStr)) and not _is_number(side)
            if isinstance(side, (ast.List, ast.Tuple)) or (is_text and operation[0] != "+"):
                raise NoValue(f"{operations.NO_NUMBER}; `{operation[0]}` got something else")
        left, right = self.compile(node.left, depth), self.compile(node.right, depth)
        return operations.binary(*operation, left, right)

    def _unaryop(self, node: ast.UnaryOp, depth: int) -> Run:
        operand = self.compile(node.operand, depth)
        if isinstance(node.op, ast.Not):
            return lambda values: not operand(values)
        sign = SIGNS.get(type(node.op))
        if sign is None:
            raise NoValue("~ cannot stand here; write `not`")
        return operations.signed(*sign, operand)

    def _boolop(self, node: ast.BoolOp, depth: int) -> Run:
        parts = self._all(node.values, depth)
        return operations.first(parts, isinstance(node.op, ast.Or))

    def _compare(self, node: ast.Compare, depth: int) -> Run:
        runs = self._all([node.left, *node.comparators], depth)
        compares = []
        for kind, right in zip(node.ops, node.comparators):
            if isinstance(kind, (ast.Is, ast.IsNot)):
                # Not `in`, since 1 equals True.
                if not any(getattr(right, "value", 0) is word for word in (None, True, False)):
                    raise NoValue("`is` can be followed by None, True or False only; write ==")
                compares.append(IDENTITY[type(kind)])
            else:
                compares.append(COMPARISONS[type(kind)])
        return operations.chained(compares, runs)

    def _ifexp(self, node: ast.IfExp, depth: int) -> Run:
        test, body, other = self._all([node.test, node.body, node.orelse], depth)

        def run(values: Mapping[str, Any]) -> Any:
            if test(values):
                return body(values)
            return other(values)

        return run

    def _list(self, node: ast.List | ast.Tuple, depth: int) -> Run:
        # Values of parameters are lists, never tuples: so (64, 4) equals [64, 4] here.
        return operations.listed(self._all(node.elts, depth))

    _tuple = _list

    def _call(self, node: ast.Call, depth: int) -> Run:
        word = getattr(node.func, "id", "")
        if word not in operations.CALLS:
            called = f"{word}(...)" if word else "a method"
            known = ", ".join(operations.CALLS)
            raise NoValue(f"{called} cannot be called where a parameter is read, only {known}")
        if node.keywords:
            raise NoValue(f"{word}(...) takes no values by name here")
        return operations.called(word, self._all(node.args, depth))


def _computed(made: Run) -> Run:
    """Return the function of a part that reads no name, which is computed once and for all."""
    try:
        value = made({})
    except NoValue as fault:
        if str(fault) == operations.TOO_LARGE:
            # `9**9**9` is a slip, wherever it stands.
            raise
        # `n == 0 or units % n == 0` with a variable n may have a part that is never computed.
        return made
    return lambda values: value


def _is_number(node: ast.expr) -> bool:
    """Return whether a constant is a number: it is no text and not None."""
    return isinstance(getattr(node, "value", None), (int, float))


def _constant(value: Any) -> Run:
    if type(value) not in _CONSTANTS:
        raise NoValue(f"a value of the type {type(value).__name__} cannot stand here")
    operations.check_size(value)
    return lambda values: value


def _refusal(node: ast.expr) -> str:
    """Return what is wrong with a part that no expression may have."""
    known = {
        ast.Attribute: "an attribute (a dot)",
        ast.Subscript: "an item ([...])",
        ast.Lambda: "a function",
        ast.JoinedStr: "an f-string (join texts by +)",
        ast.ListComp: "a comprehension",
        ast.SetComp: "a comprehension",
        ast.DictComp: "a comprehension",
        ast.GeneratorExp: "a comprehension",
        ast.NamedExpr: "`:=`",
        ast.Dict: "a dict",
        ast.Set: "a set (write a list)",
        ast.Starred: "a star",
    }
    return f"{known.get(type(node), 'such an expression')} cannot stand where a parameter is read"
