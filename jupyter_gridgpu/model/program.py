"""Goes through the statements of a space once, and makes a point.

Samplers see an axis that is searched as a Draw: one choice to make, whichever parameters it gives
values to. Which draws a point needs depends on the values that were chosen before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.axes import (
    Choice,
    Fixed,
    Range,
    Searched,
    axis_values,
    value_at,
    value_in,
)
from jupyter_gridgpu.model.expressions import Expression
from jupyter_gridgpu.model.statements import Assign, Derived, Require, Statement, Together, When


@dataclass(frozen=True)
class Draw:
    """One choice that a sampler makes."""

    # The name of the parameter, or what tells its axis from another axis of the same parameter.
    key: str
    names: tuple[str, ...]  # one; or several, whose values are chosen as one row
    axis: Searched

    def params(self, value: Any) -> dict[str, Any]:
        """Return the values of the parameters for a value of the axis."""
        if len(self.names) == 1:
            return {self.names[0]: value}
        return dict(zip(self.names, value))

    def value(self, params: Mapping[str, Any]) -> Any:
        """Return the value of the axis that gives these values. Raises KeyError if one misses."""
        if len(self.names) == 1:
            return params[self.names[0]]
        return [params[name] for name in self.names]


@dataclass(frozen=True)
class Fork:
    """The steps of a When."""

    condition: Expression
    then: tuple[Step, ...]
    otherwise: tuple[Step, ...]


Step = Union[Draw, Fork, Assign, Require]  # an Assign is fixed, derived or a repeat
Choose = Callable[[Draw], Any]


@dataclass
class Walk:
    """One way through the statements, with the values that it has collected."""

    values: dict[str, Any]  # of all names that an expression may read
    params: dict[str, Any] = field(default_factory=dict)  # of the active parameters
    drawn: dict[str, Any] = field(default_factory=dict)  # of the draws, by their keys
    chosen: dict[str, Any] = field(default_factory=dict)  # of the parameters that were drawn
    broken: Expression | None = None  # the constraint that does not hold

    def put(self, params: Mapping[str, Any]) -> None:
        """Give parameters their values."""
        self.values.update(params)
        self.params.update(params)


def steps_of(statements: Sequence[Statement], keys: dict[str, int] | None = None) -> list[Step]:
    """Return the steps that some statements stand for."""
    keys = {} if keys is None else keys  # how often each was used
    steps: list[Step] = []
    for statement in statements:
        if isinstance(statement, When):
            then = tuple(steps_of(statement.statements, keys))
            steps.append(
                Fork(statement.condition, then, tuple(steps_of(statement.otherwise, keys)))
            )
        elif isinstance(statement, Together):
            rows = Choice(tuple(list(row) for row in statement.rows))
            steps.append(Draw(_key(statement.names, keys), statement.names, rows))
        elif isinstance(statement, Assign) and isinstance(statement.what, (Choice, Range)):
            names = (statement.name,)
            steps.append(Draw(_key(names, keys), names, statement.what))
        else:
            steps.append(statement)
    return steps


def decided(steps: Sequence[Step], known: dict[str, Any]) -> Iterator[Step]:
    """Yield the steps, with one branch of each Fork that depends on known values alone.

    `known` has the values that are the same at all points; those that a branch gives are added.
    """
    for step in steps:
        if isinstance(step, Assign) and isinstance(step.what, Fixed):
            known[step.name] = step.what.value
        holds = step.condition.decision(known) if isinstance(step, Fork) else None
        if isinstance(step, Fork) and holds is not None:
            yield from decided(step.then if holds else step.otherwise, known)
        else:
            yield step


def _key(names: tuple[str, ...], keys: dict[str, int]) -> str:
    key = ", ".join(names)
    keys[key] = keys.get(key, 0) + 1
    return key if keys[key] == 1 else f"{key} ({keys[key]})"


def with_axes(steps: Sequence[Step], axes: Mapping[str, Searched]) -> list[Step]:
    """Return the steps with other axes for some draws, which their keys name."""
    made: list[Step] = []
    for step in steps:
        if isinstance(step, Draw):
            made.append(Draw(step.key, step.names, axes.get(step.key, step.axis)))
        elif isinstance(step, Fork):
            then, otherwise = with_axes(step.then, axes), with_axes(step.otherwise, axes)
            made.append(Fork(step.condition, tuple(then), tuple(otherwise)))
        else:
            made.append(step)
    return made


def only_new(old: Searched, new: Searched) -> Choice:
    """Return the values that an axis has got since it was the other one; both have an end."""
    known = set(map(repr, axis_values(old)))
    return Choice(tuple(value for value in axis_values(new) if repr(value) not in known))


def draws_in(steps: Sequence[Step]) -> Iterator[Draw]:
    """Yield all draws of some steps, also those of which only one can be active."""
    for step in steps:
        if isinstance(step, Draw):
            yield step
        elif isinstance(step, Fork):
            yield from draws_in(step.then)
            yield from draws_in(step.otherwise)


def walk(steps: Sequence[Step], walked: Walk, choose: Choose, repeat: int) -> bool:
    """Go through some steps; return whether all constraints hold. Raises SpaceError.

    The walk ends at the first constraint that does not hold.
    """
    for step in steps:
        if isinstance(step, Draw):
            value = choose(step)
            params = step.params(value)
            walked.drawn[step.key] = value
            walked.chosen.update(params)
            walked.put(params)
        elif isinstance(step, Fork):
            holds = step.condition.holds(walked.values)
            if not walk(step.then if holds else step.otherwise, walked, choose, repeat):
                return False
        elif isinstance(step, Require):
            if not step.condition.holds(walked.values):
                walked.broken = step.condition
                return False
        else:
            walked.put({step.name: _assigned(step, walked.values, repeat)})
    return True


def _assigned(step: Assign, values: Mapping[str, Any], repeat: int) -> Any:
    if isinstance(step.what, Derived):
        return step.what.expression.value(values)
    return step.what.value if isinstance(step.what, Fixed) else repeat


class NotKnown(SpaceError):
    """A point has no value for a parameter that is active at it."""


def given_by(params: Mapping[str, Any]) -> Choose:
    """Return the function that chooses the values of a point that is known."""

    def choose(draw: Draw) -> Any:
        try:
            return draw.value(params)
        except KeyError as error:
            raise NotKnown(f"The point has no value for {error.args[0]}.") from None

    return choose


def meant_by(params: Mapping[str, Any]) -> Choose:
    """Return the function that chooses the values of an axis that are meant by known ones.

    A record may have rounded a number, or written 3 as 3.0. It raises SpaceError where the axis has
    no such value.
    """
    known = given_by(params)

    def choose(draw: Draw) -> Any:
        value = known(draw)
        try:
            return value_in(draw.axis, value)
        except ValueError:
            names = ", ".join(draw.names)
            raise SpaceError(f"{names}: the space does not have the value of the point.") from None

    return choose


class PartlyKnown:
    """Chooses the values of a point of which some may not be known, and keeps which are.

    What is not known gets a value of its axis, so that the way through the statements goes on.
    """

    def __init__(self, choose: Choose) -> None:
        """`choose` knows the point, as `given_by` or `meant_by` do."""
        self._choose = choose
        self.found: dict[str, Any] = {}  # what was chosen and is known, by parameter
        self.missing: list[Draw] = []

    def __call__(self, draw: Draw) -> Any:
        """Return the value of an axis."""
        try:
            value = self._choose(draw)
        except NotKnown:
            self.missing.append(draw)
            return value_at(draw.axis, 0.0)
        self.found.update(draw.params(value))
        return value


def point_key(chosen: Mapping[str, Any]) -> str:
    """Return a text that two points share if the same values were chosen for them."""
    return repr(sorted(chosen.items()))
