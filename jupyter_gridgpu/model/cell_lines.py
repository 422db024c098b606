"""Makes statements of the lines of a cell, one after another, from the top to the bottom."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.axes import Axis, Fixed, Repeats
from jupyter_gridgpu.model.axis_words import FUNCTIONS, REFUSED, Rows, to_axis
from jupyter_gridgpu.model.constants import evaluate
from jupyter_gridgpu.model.expressions import QUOTED_LIMIT, Expression, names_of
from jupyter_gridgpu.model.folding import builtin_in, folded
from jupyter_gridgpu.model.space import is_parameter_name
from jupyter_gridgpu.model.statements import (
    LEVELS,
    STATEMENTS_LIMIT,
    TOO_DEEP,
    TOO_MANY,
    Assign,
    Derived,
    Require,
    Scope,
    Statement,
    Together,
    When,
)

NO_LINE = " A parameter of the notebook needs a line above that gives it a value."


@dataclass
class Place:
    """What is known at a place in the cell."""

    scope: Scope = field(default_factory=Scope)
    # The parameters above that have one value, whichever the point.
    constants: dict[str, Any] = field(default_factory=dict)
    level: int = 0  # of conditions around it

    def branch(self) -> Place:
        """Return the place at the begin of a branch."""
        return Place(self.scope.branch(), dict(self.constants), self.level + 1)


class CellReader:
    """Makes statements of the lines of one cell. Its methods raise SpaceError."""

    def __init__(self, variables: Mapping[str, Any], lines: dict[str, int]) -> None:
        self._variables = variables
        self._lines = lines  # by name, the line that gives it
        self._depth = 0  # of blocks in each other
        self._counted = 0  # statements that a space may have STATEMENTS_LIMIT of
        self._meant: set[str] = set()  # parameters that were read, and are variables as well

    def remarks(self) -> tuple[str, ...]:
        """Return what the user should know of the cell, in sentences."""
        if not self._meant:
            return ()
        names = ", ".join(sorted(self._meant))
        return (
            f"{names}: a parameter of the scan and a variable of the notebook have this name;"
            " the lines below the parameter mean the parameter.",
        )

    def block(self, nodes: list[ast.stmt], place: Place) -> list[Statement]:
        """Return the statements of some lines."""
        found: list[Statement] = []
        if self._depth > LEVELS:
            raise SpaceError(f"Line {nodes[0].lineno}: {TOO_DEEP}")
        self._depth += 1
        try:
            for node in nodes:
                if isinstance(node, ast.If):
                    found += self._when(node, place)
                elif isinstance(node, ast.Assert):
                    found += self._require(node, place)
                elif not (isinstance(node, ast.Pass) and place.level):
                    found.append(self._assign(node, place))
        finally:
            self._depth -= 1
        return found

    def _when(self, node: ast.If, place: Place) -> list[Statement]:
        condition = self._at(node, "if", lambda: self._condition(node.test, place))
        if not isinstance(condition, Expression):
            # It reads no parameter, so it is known by now which lines count.
            return self.block(node.body if condition else node.orelse, place)
        self._count()
        taken = condition.decision(place.constants)
        one, then = self._branch(node.body, place, taken is False)
        other, otherwise = self._branch(node.orelse, place, taken is True)
        place.scope.join(one.scope, other.scope)
        if taken is not None:
            place.constants.update((one if taken else other).constants)
        return [When(condition, then, otherwise)] if then or otherwise else []

    def _branch(
        self, nodes: list[ast.stmt], place: Place, never: bool
    ) -> tuple[Place, tuple[Statement, ...]]:
        """Return the place at the end of a branch, and its statements.

        A branch that is never taken need not make sense: `if n > 0: x = [64 // n]` where n is 0.
        """
        inside = place.branch()
        try:
            return inside, tuple(self.block(nodes, inside))
        except SpaceError:
            if not never:
                raise
            return place.branch(), ()

    def _require(self, node: ast.Assert, place: Place) -> list[Statement]:
        if node.msg is not None:
            raise SpaceError(f"Line {node.lineno}: an assert has no message here; leave it out.")
        condition = self._at(node, "assert", lambda: self._condition(node.test, place))
        if isinstance(condition, Expression):
            self._count()
            return [Require(condition)]
        if condition:
            return []
        if place.level:
            # It leaves out all points of this branch.
            return [Require(Expression("False"))]
        raise SpaceError(f"Line {node.lineno}: {_quote(node)} does not hold.")

    def _assign(self, node: ast.stmt, place: Place) -> Statement:
        names, expression = _target(node)
        seen: set[str] = set()
        for name in names:
            if not is_parameter_name(name):
                raise SpaceError(
                    f"Line {node.lineno}, {name[:40]}…: a name has more than 200 characters."
                )
            if name in place.scope.given or name in seen:
                raise SpaceError(f"Line {node.lineno}: {name} is given twice; keep one of the two.")
            seen.add(name)
        made = self._at(node, listed(names), lambda: self._assigned(names, expression, place))
        assert isinstance(made, (Assign, Together))
        if place.level or (isinstance(made, Assign) and isinstance(made.what, Derived)):
            self._count()
        return made

    def _count(self) -> None:
        """Count a statement, so that a cell with too many of them is not read to its end."""
        self._counted += 1
        if self._counted > STATEMENTS_LIMIT:
            raise SpaceError(TOO_MANY)

    def _at(self, node: ast.stmt, what: str, read: Callable[[], Any]) -> Any:
        """Return what `read` returns; a complaint of it gets the line."""
        try:
            return read()
        except SpaceError as error:
            raise SpaceError(f"Line {node.lineno}, {what}: {error}") from None

    def _assigned(self, names: tuple[str, ...], expression: ast.expr, place: Place) -> Statement:
        if len(names) > 1:
            self._need_constant(expression, place)
            rows = self._evaluate(expression, place)
            assert isinstance(rows, Rows)
            made = rows_of(names, rows)
            for name in names:
                place.scope.assign(name)
            return made
        (name,) = names
        what = self._right_side(name, expression, place)
        if isinstance(what, Derived):
            place.scope.assign(name, place.scope.read(what.expression))
        elif isinstance(what, Repeats) and place.level:
            raise SpaceError("repeats() cannot stand under a condition; move the line out of it.")
        else:
            place.scope.assign(name, isinstance(what, Repeats))
        if isinstance(what, Fixed):
            place.constants[name] = what.value
        return Assign(name, what)

    def _right_side(self, name: str, expression: ast.expr, place: Place) -> Axis | Derived:
        if not self._open(expression, place):
            return self._known(expression, place)
        if isinstance(expression, ast.Call) and getattr(expression.func, "id", "") in FUNCTIONS:
            is_fixed = getattr(expression.func, "id", "") == "fixed"
            if not is_fixed or len(expression.args) != 1 or expression.keywords:
                self._need_constant(expression, place)
            (expression,) = expression.args
        elif isinstance(expression, (ast.List, ast.Tuple)):
            raise SpaceError(
                "a list that reads a parameter could be one value or several: write fixed([...])"
                " for one; several values cannot depend on a parameter."
            )
        return Derived(self._expression(expression, place))

    def _known(self, expression: ast.expr, place: Place) -> Axis | Derived:
        """Return what a right side is that reads no parameter but those with one value."""
        try:
            return to_axis(self._evaluate(expression, place))
        except SpaceError as error:
            # What has no value here may stand in a branch that is taken only where it has one.
            reads = not names_of(expression).isdisjoint(place.constants)
            if not (place.level and reads) or isinstance(expression, (ast.List, ast.Tuple)):
                raise
            try:
                return Derived(self._expression(expression, place))
            except SpaceError:
                raise error from None

    def _need_constant(self, expression: ast.expr, place: Place) -> None:
        for name in sorted(self._open(expression, place)):
            raise SpaceError(
                f"the values of an axis cannot depend on {name}, which has several values itself:"
                " use `if`, or leave points out by `assert`."
            )

    def _open(self, expression: ast.expr, place: Place) -> set[str]:
        """Return the parameters that an expression reads and whose values are not known yet."""
        read = names_of(expression) & place.scope.given
        self._meant |= {
            name
            for name in read & set(self._variables)
            if name not in place.constants
            or repr(place.constants[name]) != repr(self._variables[name])
        }
        return set(read).difference(place.constants)

    def _condition(self, test: ast.expr, place: Place) -> Expression | bool:
        """Return a condition, or its value if it reads no parameter."""
        if isinstance(test, (ast.List, ast.Tuple)):
            raise SpaceError("a list always counts as true; join conditions by `and`.")
        if names_of(test).isdisjoint(place.scope.given):
            # A variable is not meant where a line below gives a parameter of that name.
            self._check_later(test, place, {})
            if name := builtin_in(test, self._variables):
                raise SpaceError(f"{name} is a function of Python here.{NO_LINE}")
            try:
                value = self._evaluate(test, place)
            except SpaceError as error:
                hint = NO_LINE if "NameError" in str(error) else ""
                raise SpaceError(f"{error}{hint}") from None
            try:
                return bool(value)
            except Exception as error:  # an array has no truth value, and its own words for that
                raise SpaceError(f"{type(error).__name__}: {error}") from None
        self._open(test, place)
        condition = self._expression(test, place)
        place.scope.decide(condition)
        return condition

    def _expression(self, node: ast.expr, place: Place) -> Expression:
        self._check_later(node, place, {})
        return folded(
            node, place.scope.given, self._variables, lambda part: self._evaluate(part, place)
        )

    def _check_later(self, node: ast.expr, place: Place, known: Mapping[str, Any]) -> None:
        """Raise SpaceError if an expression reads a name that only another line gives."""
        for name in sorted(names_of(node) - place.scope.given - set(known)):
            line = self._lines.get(name)
            if line is None or hasattr(builtins, name):
                continue
            if line == node.lineno:
                raise SpaceError(f"{name} cannot be computed from itself.")
            if line > node.lineno:
                raise SpaceError(f"{name} is given only in line {line}; move that line up.")
            raise SpaceError(
                f"{name} has no value here, since line {line} is in another branch: give it one in"
                " this branch, too."
            )

    def _evaluate(self, expression: ast.expr, place: Place) -> Any:
        """Return the value of an expression that reads no parameter but constant ones."""
        read = names_of(expression)
        constants = {name: place.constants[name] for name in read if name in place.constants}
        scope = {**REFUSED, **self._variables, **constants, **FUNCTIONS}
        self._check_later(expression, place, scope)
        return evaluate(expression, scope)


def _target(node: ast.stmt) -> tuple[tuple[str, ...], ast.expr]:
    """Return names and right side of an assignment. Raises SpaceError for other statements."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
        if isinstance(target, ast.Name):
            return (target.id,), node.value
        parts = getattr(target, "elts", ())
        names = tuple(part.id for part in parts if isinstance(part, ast.Name))
        is_rows = isinstance(node.value, ast.Call) and _called(node.value) == "together"
        if is_rows and len(names) == len(parts) > 1:
            return names, node.value
        if len(names) == len(parts) > 1:
            raise SpaceError(
                f"Line {node.lineno} is not an assignment of one name: {_quote(node)}. Several"
                " names take their values row by row: a, b = together([(1, 2), (3, 4)])."
            )
    # `lr: float = 0.1`
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
        return (node.target.id,), node.value
    raise SpaceError(
        f"Line {node.lineno} is not an assignment of one name: {_quote(node)}."
        " Only lines like lr = [1e-3, 1e-4], `if` and `assert` belong here."
    )


def _called(node: ast.Call) -> str:
    return str(getattr(node.func, "id", ""))


def _quote(node: ast.stmt) -> str:
    """Return the beginning of a statement, to be shown in an error."""
    try:
        text = ast.unparse(node).splitlines()[0]
    except (RecursionError, ValueError):
        return "a statement that is nested too deeply, or has a number that is too long"
    if len(text) <= QUOTED_LIMIT:
        return text
    return text[: QUOTED_LIMIT - 1] + "…"


def listed(names: tuple[str, ...]) -> str:
    """Return the names that a line gives values to, as a sentence shows them."""
    text = ", ".join(names)
    if len(names) == 1 or len(text) <= QUOTED_LIMIT:
        return text
    return text[: QUOTED_LIMIT - 1] + "…"


def rows_of(names: tuple[str, ...], rows: Rows) -> Together:
    """Return the rows of some parameters. Raises SpaceError if they have another width."""
    width = len(rows.rows[0])
    if width != len(names):
        raise SpaceError(f"the rows have {width} values, and there are {len(names)} names.")
    return Together(names, rows.rows)
