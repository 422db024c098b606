"""What the lines of a space say: assignments, conditions and constraints.

    optimizer = ["adam", "sgd"]                            Assign, an axis
    if optimizer == "sgd":                                 When
        momentum = uniform(0.5, 0.99)
    units, layers = together([(64, 4), (128, 3)])          Together
    assert units * layers <= 400                           Require
    batch_per_step = batch // 4                            Assign, derived

Each statement reads parameters of earlier lines alone, and no parameter is given twice on any way
through the statements. `check` makes sure of both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Union

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.axes import Axis, Fixed, Repeats
from jupyter_gridgpu.model.expressions import Expression, quoted

LEVELS = 20  # of conditions in each other; each `elif` is one
# The lines of a space that is not plain, without those of one value: the walk through its points
# is as deep as there are such lines, or twice as deep, and Python bounds the depth.
STATEMENTS_LIMIT = 200
TOO_MANY = (
    f"The space has more than {STATEMENTS_LIMIT} lines beside those with one value, and conditions,"
    " constraints or values that follow from others; make it simpler."
)
TOO_DEEP = f"more than {LEVELS} conditions stand in each other (each elif counts)."


@dataclass(frozen=True)
class Derived:
    """A value that follows from other parameters."""

    expression: Expression


@dataclass(frozen=True)
class Assign:
    """A parameter and its values."""

    name: str
    what: Axis | Derived


@dataclass(frozen=True)
class Together:
    """Parameters that take their values row by row."""

    names: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]  # each with a value for each name


@dataclass(frozen=True)
class When:
    """Statements that count where a condition holds, and others that count where it does not."""

    condition: Expression
    statements: tuple[Statement, ...]
    otherwise: tuple[Statement, ...] = ()


@dataclass(frozen=True)
class Require:
    """A constraint: a point counts only where it holds."""

    condition: Expression


Statement = Union[Assign, Together, When, Require]


def names_given(statements: Iterable[Statement]) -> Iterator[str]:
    """Yield the parameters that statements assign, in order; one of two branches comes twice."""
    for statement in statements:
        if isinstance(statement, Assign):
            yield statement.name
        elif isinstance(statement, Together):
            yield from statement.names
        elif isinstance(statement, When):
            yield from names_given((*statement.statements, *statement.otherwise))


def constraints_in(statements: Iterable[Statement]) -> Iterator[Expression]:
    """Yield the conditions of all constraints."""
    for statement in statements:
        if isinstance(statement, Require):
            yield statement.condition
        elif isinstance(statement, When):
            yield from constraints_in((*statement.statements, *statement.otherwise))


def count_statements(statements: Iterable[Statement], level: int = 0) -> int:
    """Return how many statements there are, without those that always give one value."""
    total = 0
    for item in statements:
        if isinstance(item, When):
            total += count_statements((*item.statements, *item.otherwise), level + 1)
        if level or not (isinstance(item, Assign) and isinstance(item.what, Fixed)):
            total += 1
    return total


class Scope:
    """Which parameters can be read at one place in the statements, and what is known of them."""

    def __init__(self) -> None:
        self.given: set[str] = set()  # assigned before, in whichever branch
        self.sure: set[str] = set()  # assigned before, on every way to this place
        self.repeated: set[str] = set()  # other in each repeat of a point
        # Read where they may be inactive. All branches share the set.
        self.inactive: set[str] = set()

    def assign(self, name: str, repeated: bool = False) -> None:
        """Note that a parameter is assigned here. Raises SpaceError if it was before."""
        if name in self.given:
            raise SpaceError(f"{name} is given twice; keep one of the two.")
        self.given.add(name)
        self.sure.add(name)
        if repeated:
            self.repeated.add(name)

    def read(self, expression: Expression) -> bool:
        """Note that an expression is read here; return whether each repeat reads another value.

        Raises SpaceError if it reads a parameter that no earlier line gives.
        """
        for name in sorted(expression.names - self.given):
            raise SpaceError(f"{quoted(expression.text)} reads {name}, which no line above gives.")
        self.inactive |= expression.names - self.sure
        return not expression.names.isdisjoint(self.repeated)

    def decide(self, expression: Expression) -> None:
        """Note that an expression decides here which points there are. Raises SpaceError."""
        if self.read(expression):
            names = ", ".join(sorted(expression.names & self.repeated))
            raise SpaceError(
                f"{quoted(expression.text)} reads {names}, which repeats every point:"
                " a condition or a constraint counts for all repeats of a point."
            )

    def branch(self) -> Scope:
        """Return the scope at the begin of a branch."""
        made = Scope()
        made.given, made.sure = set(self.given), set(self.sure)
        made.repeated, made.inactive = set(self.repeated), self.inactive
        return made

    def join(self, one: Scope, other: Scope) -> None:
        """Go on after two branches, of which one was taken."""
        self.given = one.given | other.given
        self.sure = one.sure & other.sure
        self.repeated = one.repeated | other.repeated


def check(statements: Sequence[Statement], scope: Scope | None = None, level: int = 0) -> Scope:
    """Return the scope behind some statements. Raises SpaceError if they make no sense."""
    scope = scope or Scope()
    if level > LEVELS:
        raise SpaceError(TOO_DEEP)
    for statement in statements:
        if isinstance(statement, When):
            scope.decide(statement.condition)
            one, other = scope.branch(), scope.branch()
            check(statement.statements, one, level + 1)
            check(statement.otherwise, other, level + 1)
            scope.join(one, other)
        elif isinstance(statement, Require):
            scope.decide(statement.condition)
        elif isinstance(statement, Together):
            for name in statement.names:
                scope.assign(name)
        else:
            _check_assign(statement, scope, level)
    return scope


def _check_assign(statement: Assign, scope: Scope, level: int) -> None:
    if isinstance(statement.what, Derived):
        scope.assign(statement.name, scope.read(statement.what.expression))
        return
    repeats = isinstance(statement.what, Repeats)
    if repeats and level:
        raise SpaceError(
            f"{statement.name}: repeats() cannot stand under a condition, since it repeats every"
            " point; move the line out of it."
        )
    scope.assign(statement.name, repeats)
