"""Goes through the points of a grid one after another, and counts them.

The walk is depth first: each step of the space is a function that calls the next one for each of
its values, so no product of the values is ever made. A constraint prunes as early as it can: it is
tested once the last parameter that it reads has a value, wherever the line of the cell stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Union

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.axes import GRID_LIMIT, Fixed, axis_size, axis_values
from jupyter_gridgpu.model.expressions import Expression
from jupyter_gridgpu.model.program import Draw, Fork, Step
from jupyter_gridgpu.model.statements import Assign, Derived, Require

# What counting a grid may cost: each step is one, and an expression as many as it has parts. A grid
# with more points than POINTS, of those that have to be gone through, is too large anyway.
BUDGET = 20_000_000
POINTS = 2 * GRID_LIMIT
_MISSING = object()
Values = dict[str, Any]
Points = Iterator[dict[str, Any]]
Walker = Callable[[Values, Values], Points]  # of all values so far, and of those that were chosen
Counter = Callable[[Values], int]


class Endless(Exception):
    """A grid has no end of points, since an axis in it is continuous."""


class Exhausted(Exception):
    """Counting a grid costs more than it may."""


@dataclass(frozen=True)
class Early:
    """A constraint, or a value that no choice in between changes, tried before its own line.

    A constraint in between may leave out the points at which it has no value. So an error means
    nothing here, and the line comes once more at its own place.
    """

    step: Assign | Require


Planned = Union[Step, Early]


def planned(steps: Sequence[Step]) -> list[Planned]:
    """Return the steps, and before them what can be decided early."""
    bound: dict[str, int] = {}  # the step behind which a name has its value
    early: dict[int, list[Early]] = {}
    for index, step in enumerate(steps):
        place = index
        if isinstance(step, (Assign, Require)):
            ready = max((bound.get(name, -1) for name in _reads(step)), default=-1)
            # It is of no use where no choice comes between.
            if any(isinstance(between, (Draw, Fork)) for between in steps[ready + 1 : index]):
                early.setdefault(ready, []).append(Early(step))
                place = ready
        for name in _names(step):
            bound[name] = place
    found: list[Planned] = list(early.get(-1, ()))
    for index, step in enumerate(steps):
        found += [step, *early.get(index, ())]
    return found


def _reads(step: Step) -> frozenset[str]:
    """Return the names that a constraint or a derived value reads."""
    expression = _expression(step)
    return frozenset() if expression is None else expression.names


def _expression(step: Step) -> Expression | None:
    """Return what a constraint or a derived value computes, else None."""
    if isinstance(step, Require):
        return step.condition
    if isinstance(step, Assign) and isinstance(step.what, Derived):
        return step.what.expression
    return None


def _names(step: Step) -> list[str]:
    """Return the parameters that a step gives values to."""
    if isinstance(step, Draw):
        return list(step.names)
    if isinstance(step, Fork):
        return [name for inner in (*step.then, *step.otherwise) for name in _names(inner)]
    return [step.name] if isinstance(step, Assign) else []


def walker(steps: Sequence[Step], after: Walker) -> Walker:
    """Return the function that yields all points of some steps and of what comes after them."""
    for step in reversed(planned(steps)):
        after = _walker(step, after)
    return after


def last(values: Values, chosen: Values) -> Points:
    """Yield the one point that all values together make."""
    yield dict(chosen)


def _walker(step: Planned, after: Walker) -> Walker:
    if isinstance(step, Draw):
        return _each(step, after)
    if isinstance(step, Fork):
        condition = step.condition
        then, otherwise = walker(step.then, after), walker(step.otherwise, after)

        def fork(values: Values, chosen: Values) -> Points:
            return (then if condition.holds(values) else otherwise)(values, chosen)

        return fork
    if isinstance(step, Early):
        return _early(step.step, after)
    if isinstance(step, Require):
        required = step.condition

        def require(values: Values, chosen: Values) -> Points:
            if required.holds(values):
                yield from after(values, chosen)

        return require
    return _assigned(step, after)


def _each(draw: Draw, after: Walker) -> Walker:
    """Return the walker that goes on with each value of an axis."""

    def each(values: Values, chosen: Values) -> Points:
        old = {name: values.get(name, _MISSING) for name in draw.names}
        for value in axis_values(draw.axis):
            params = draw.params(value)
            values.update(params)
            chosen.update(params)
            yield from after(values, chosen)
        _restore(values, old)
        for name in draw.names:
            del chosen[name]

    return each


def _restore(values: Values, old: Values) -> None:
    """Give names the values that they had, so that an inactive one has the notebook's own again."""
    for name, value in old.items():
        if value is _MISSING:
            values.pop(name, None)
        else:
            values[name] = value


def _assigned(step: Assign, after: Walker) -> Walker:
    name = step.name

    def assigned(values: Values, chosen: Values) -> Points:
        old = {name: values.get(name, _MISSING)}
        values[name] = _value(step, values)
        yield from after(values, chosen)
        _restore(values, old)

    return assigned


def _value(step: Assign, values: Values) -> Any:
    if isinstance(step.what, Derived):
        return step.what.expression.value(values)
    # Of repeats, the first one stands for all: no condition reads which one it is.
    return step.what.value if isinstance(step.what, Fixed) else 0


def _early(step: Assign | Require, after: Walker) -> Walker:
    names = _names(step)

    def early(values: Values, chosen: Values) -> Points:
        old = {name: values.get(name, _MISSING) for name in names}
        if not _fails(step, values):
            yield from after(values, chosen)
        _restore(values, old)

    return early


def _fails(step: Assign | Require, values: Values) -> bool:
    """Try a step early; return whether it is a constraint that surely does not hold."""
    if isinstance(step, Require):
        try:
            return not step.condition.holds(values)
        except SpaceError:
            return False
    try:
        values[step.name] = _value(step, values)
    except SpaceError:
        # An older value must not decide anything.
        values.pop(step.name, None)
    return False


class Tally:
    """Counts the points of a grid without making them.

    An axis that no later condition or constraint reads multiplies what comes after it, so that only
    the others are gone through.
    """

    def __init__(self) -> None:
        self.left = BUDGET
        self.points = 0  # that were gone through

    def count(self, steps: Sequence[Step], values: Values) -> int:
        """Return how many points there are. Raises Endless, Exhausted or SpaceError."""
        counter, _ = self._counters(steps, self._one, frozenset())
        return counter(dict(values))

    def _one(self, values: Values) -> int:
        self.points += 1
        if self.points > POINTS:
            raise Exhausted
        return 1

    def _pay(self, cost: int) -> None:
        self.left -= cost
        if self.left < 0:
            raise Exhausted

    def _counters(
        self, steps: Sequence[Step], after: Counter, read: frozenset[str]
    ) -> tuple[Counter, frozenset[str]]:
        """Return the counter of steps, and the names that it and what comes after it read."""
        for step in reversed(planned(steps)):
            after, read = self._counter(step, after, read)
        return after, read

    def _counter(
        self, step: Planned, after: Counter, read: frozenset[str]
    ) -> tuple[Counter, frozenset[str]]:
        if isinstance(step, Draw):
            unread = read.isdisjoint(step.names)
            return (
                self._times(step, after) if unread else self._sum(step, after),
                read.difference(step.names),
            )
        if isinstance(step, Fork):
            then, of_then = self._counters(step.then, after, read)
            otherwise, of_other = self._counters(step.otherwise, after, read)
            condition, cost = step.condition, 1 + step.condition.size

            def fork(values: Values) -> int:
                self._pay(cost)
                return (then if condition.holds(values) else otherwise)(values)

            return fork, of_then | of_other | condition.names
        if isinstance(step, Require):
            return self._required(step, after), read | step.condition.names
        inner = step.step if isinstance(step, Early) else step
        if isinstance(inner, Require):
            return self._tried(inner, after), read | inner.condition.names
        if inner.name not in read:
            return after, read
        expression = _expression(inner)
        names = frozenset() if expression is None else expression.names
        # What comes before needs not the name itself, but what its value is computed of.
        return self._given(step, inner, after), (read - {inner.name}) | names

    def _times(self, draw: Draw, after: Counter) -> Counter:
        size = axis_size(draw.axis)

        def times(values: Values) -> int:
            self._pay(1)
            if size is None:
                raise Endless
            return size * after(values)

        return times

    def _sum(self, draw: Draw, after: Counter) -> Counter:
        if axis_size(draw.axis) is None:
            return self._times(draw, after)

        def add(values: Values) -> int:
            old = {name: values.get(name, _MISSING) for name in draw.names}
            total = 0
            for value in axis_values(draw.axis):
                self._pay(1)
                values.update(draw.params(value))
                total += after(values)
            _restore(values, old)
            return total

        return add

    def _required(self, step: Require, after: Counter) -> Counter:
        condition, cost = step.condition, 1 + step.condition.size

        def require(values: Values) -> int:
            self._pay(cost)
            return after(values) if condition.holds(values) else 0

        return require

    def _tried(self, step: Require, after: Counter) -> Counter:
        cost = 1 + step.condition.size

        def tried(values: Values) -> int:
            self._pay(cost)
            return 0 if _fails(step, values) else after(values)

        return tried

    def _given(self, step: Planned, inner: Assign, after: Counter) -> Counter:
        expression, name = _expression(inner), inner.name
        cost = 1 if expression is None else 1 + expression.size
        early = isinstance(step, Early)

        def given(values: Values) -> int:
            self._pay(cost)
            old = {name: values.get(name, _MISSING)}
            if early:
                _fails(inner, values)
            else:
                values[name] = _value(inner, values)
            total = after(values)
            _restore(values, old)
            return total

        return given
