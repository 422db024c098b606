"""The hyper-parameter space: which values each parameter of the notebook may take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.axes import (
    GRID_LIMIT,
    Axis,
    Choice,
    Fixed,
    Range,
    Repeats,
    axis_size,
    axis_value,
    value_at,
)
from jupyter_gridgpu.model.enumeration import Endless, Exhausted, Points, Tally, last, walker
from jupyter_gridgpu.model.expressions import Expression
from jupyter_gridgpu.model.program import (
    Choose,
    Draw,
    Fork,
    Step,
    Walk,
    decided,
    draws_in,
    given_by,
    only_new,
    steps_of,
    walk,
    with_axes,
)
from jupyter_gridgpu.model.statements import (
    STATEMENTS_LIMIT,
    TOO_MANY,
    Assign,
    Derived,
    Require,
    Statement,
    Together,
    When,
    check,
    constraints_in,
    count_statements,
    names_given,
)

# Also what a sampler needs of axes and statements, so that those of other packages import it here.
__all__ = [
    "GRID_LIMIT",
    "PARAMETER_NAME_LIMIT",
    "SIZE_LIMIT",
    "Assign",
    "Axis",
    "Choice",
    "Derived",
    "Draw",
    "Fixed",
    "Range",
    "Repeats",
    "Require",
    "Space",
    "Together",
    "When",
    "axis_size",
    "axis_value",
    "is_parameter_name",
    "value_at",
]
SIZE_LIMIT = 10**15  # a grid with more points counts as one with so many
PARAMETER_NAME_LIMIT = 200  # characters


@dataclass(frozen=True)
class Space:
    """Parameters and their values, in the order of the cell.

    `Space(axes)` is a plain space: an axis for each parameter. `Space.of(statements)` may have
    conditions, constraints, derived values and rows, too.
    """

    # By name of the parameter; where several lines give one, all their values together. A parameter
    # that is derived has none.
    axes: dict[str, Axis]
    statements: tuple[Statement, ...] = ()  # none in a plain space: its axes say it all
    # The notebook's own values of the parameters that are read where they may be inactive.
    defaults: dict[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = field(default=(), compare=False)  # for the user, in sentences
    # The space that this one was extended from: its points come first in a grid.
    before: Space | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(
        cls,
        statements: Iterable[Statement],
        defaults: Mapping[str, Any] | None = None,
        remarks: tuple[str, ...] = (),
    ) -> Space:
        """Return the space of some statements. Raises SpaceError if they make no sense."""
        made = tuple(statements)
        scope = check(made)
        axes = _joined(made)
        if all(isinstance(item, Assign) and item.name in axes for item in made):
            return cls(axes, remarks=remarks)
        if count_statements(made) > STATEMENTS_LIMIT:
            raise SpaceError(TOO_MANY)
        needed = sorted(scope.inactive.intersection(defaults or {}))
        return cls(axes, made, {name: (defaults or {})[name] for name in needed}, remarks)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the parameters, also of those that are derived."""
        return iter(self._names)

    def lines(self) -> Iterator[tuple[str, Axis | None]]:
        """Yield name and axis of each assignment, in all branches; None for a derived value."""
        return _lines(self.body)

    @property
    def body(self) -> tuple[Statement, ...]:
        """The statements, also of a plain space."""
        return self.statements or tuple(Assign(name, axis) for name, axis in self.axes.items())

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(names_given(self.body)))

    @cached_property
    def _steps(self) -> tuple[Step, ...]:
        return tuple(decided(steps_of(self.body), {}))

    @property
    def _known(self) -> dict[str, Any]:
        """The values that are known before anything is chosen."""
        return {**self.defaults, **self.fixed}

    @property
    def _open(self) -> list[Step]:
        """The steps without those of parameters that have one value in all points."""
        fixed = self.fixed
        return [
            step for step in self._steps if not isinstance(step, Assign) or step.name not in fixed
        ]

    @cached_property
    def draws(self) -> tuple[Draw, ...]:
        """The choices that a sampler makes, also those that exclude each other."""
        return tuple(draws_in(self._steps))

    @property
    def has_conditions(self) -> bool:
        """Whether it depends on some choices which others there are."""
        forks = (step for step in self._steps if isinstance(step, Fork))
        return any(True for fork in forks for _ in draws_in((fork,)))

    @cached_property
    def constraints(self) -> tuple[Expression, ...]:
        """What has to hold at each point."""
        return tuple(constraints_in(self.statements))

    @cached_property
    def inactive(self) -> frozenset[str]:
        """The parameters that expressions read at places where they may be inactive."""
        return frozenset(check(self.statements).inactive)

    @property
    def fixed(self) -> dict[str, Any]:
        """The parameters with one value in all points, and that value."""
        return {
            item.name: item.what.value
            for item in self.body
            if isinstance(item, Assign) and isinstance(item.what, Fixed)
        }

    @property
    def searched(self) -> dict[str, Choice | Range]:
        """The parameters for which a sampler chooses values, and their axes."""
        drawn = {name for draw in self.draws for name in draw.names}
        return {
            name: axis
            for name, axis in self.axes.items()
            if name in drawn and isinstance(axis, (Choice, Range))
        }

    @property
    def derived(self) -> list[str]:
        """The parameters whose values follow from others."""
        return [name for name in self if name not in self.axes]

    @property
    def repeats(self) -> tuple[str, int] | None:
        """The parameter that repeats every point and how often it does so, or None."""
        for name, axis in self.axes.items():
            if isinstance(axis, Repeats):
                return name, axis.count
        return None

    @property
    def repeat_count(self) -> int:
        """How many variants every point makes: 1 where nothing is repeated."""
        repeats = self.repeats
        if repeats is None:
            return 1
        return repeats[1]

    @property
    def varied(self) -> list[str]:
        """The parameters that have an axis and not the same value in all points."""
        fixed = self.fixed
        return [name for name in self.axes if name not in fixed]

    def with_defaults(self, defaults: Mapping[str, Any]) -> Space:
        """Return the space with the notebook's own values of what is read while it is inactive.

        Raises SpaceError if the value of such a parameter is not known.
        """
        for name in sorted(self.inactive - set(defaults)):
            raise SpaceError(
                f"{name} is read where it is not active, and its own value in the notebook is not"
                " known: give it a value in an else, too."
            )
        return replace(self, defaults={name: defaults[name] for name in sorted(self.inactive)})

    def point(self, choose: Choose, repeat: int = 0) -> Walk:
        """Return the point that `choose` makes: it gets each draw that is active, one by one.

        If a constraint does not hold, the walk ends there and says which. Raises SpaceError if an
        expression has no value.
        """
        walked = Walk(dict(self.defaults))
        walk(self._steps, walked, choose, repeat)
        for params in (walked.params, walked.chosen):
            # Both branches may give a parameter: the order is that of the cell, whichever did.
            ordered = {name: params[name] for name in self if name in params}
            params.clear()
            params.update(ordered)
        return walked

    def complete(self, chosen: Mapping[str, Any], repeat: int = 0) -> dict[str, Any]:
        """Return the values of all active parameters for those that a sampler has chosen."""
        return self.point(given_by(chosen), repeat).params

    def grid(self) -> Points:
        """Yield the chosen parameters of each point of the grid; the last axis changes fastest.

        The points come one by one, and take no memory. Every axis must have an end of its values.
        Where the space was extended, the points that it had before come first.
        """
        spaces = [self]
        while spaces[-1].before is not None:
            spaces.append(spaces[-1].before)
        for space in reversed(spaces):
            yield from space.new_points()

    def new_points(self) -> Points:
        """Yield the points of the grid that the space did not have before it was extended.

        They come axis by axis: first those with a new value of the first axis that has some.
        """
        if self.before is None:
            yield from walker(self._open, last)(self._known, {})
            return
        axes: dict[str, Choice | Range] = {}
        for old, draw in zip(self.before.draws, self.draws):
            if old.axis == draw.axis:
                continue
            only = {**axes, draw.key: only_new(old.axis, draw.axis)}
            for point in walker(with_axes(self._open, only), last)(self._known, {}):
                if all(name in point for name in draw.names):
                    yield point
            axes[draw.key] = old.axis

    def grid_size(self) -> int | None:
        """Return how many points a full grid has, or None where an axis is continuous.

        The number is SIZE_LIMIT at most, since Python does not print numbers of any length, and
        SIZE_LIMIT where counting costs too much. Repeats do not count: they make variants of a
        point, not points. Raises SpaceError if an expression has no value.
        """
        return self._grid_size

    def product(self) -> int | None:
        """Return the size of the grid without conditions and constraints, which it never exceeds.

        It is None where an axis is continuous, and SIZE_LIMIT at most.
        """
        size = 1
        for draw in self.draws:
            values = axis_size(draw.axis)
            if values is None:
                # One continuous axis is enough: there is no end of its values.
                return None
            size *= values
        return min(size, SIZE_LIMIT)

    @cached_property
    def _grid_size(self) -> int | None:
        if not self.statements:
            return self.product()
        try:
            return min(Tally().count(self._open, self._known), SIZE_LIMIT)
        except Endless:
            return None
        except Exhausted:
            continuous = any(axis_size(draw.axis) is None for draw in self.draws)
            return None if continuous else SIZE_LIMIT


def _joined(statements: Iterable[Statement]) -> dict[str, Axis]:
    """Return an axis for each parameter, with the values of all lines that give it."""
    found: dict[str, list[Axis]] = {}
    for name, axis in _lines(statements):
        if axis is not None:
            found.setdefault(name, []).append(axis)
    return {name: _join(axes) for name, axes in found.items()}


def _lines(statements: Iterable[Statement]) -> Iterator[tuple[str, Axis | None]]:
    for item in statements:
        if isinstance(item, When):
            yield from _lines((*item.statements, *item.otherwise))
        elif isinstance(item, Together):
            for name, column in zip(item.names, zip(*item.rows)):
                yield name, Choice(_different(column))
        elif isinstance(item, Assign):
            yield item.name, None if isinstance(item.what, Derived) else item.what


def _different(values: Iterable[Any]) -> tuple[Any, ...]:
    """Return values without those that came before; True is another value than 1."""
    return tuple({repr(value): value for value in values}.values())


def _join(axes: list[Axis]) -> Axis:
    """Return one axis with the values of several."""
    if len(axes) == 1:
        return axes[0]
    listed = [value for axis in axes for value in _listed(axis)]
    ranges = [axis for axis in axes if isinstance(axis, Range)]
    if not ranges:
        return Choice(_different(listed))
    # A range has numbers alone: any other value is left out.
    numbers = [value for value in listed if type(value) in (int, float)]
    low = min([*(axis.low for axis in ranges), *numbers])
    high = max([*(axis.high for axis in ranges), *numbers])
    whole = all(axis.whole for axis in ranges) and all(type(value) is int for value in numbers)
    return Range(low, high, low > 0 and all(axis.log for axis in ranges), whole)


def _listed(axis: Axis) -> tuple[Any, ...]:
    if isinstance(axis, Choice):
        return axis.values
    return (axis.value,) if isinstance(axis, Fixed) else ()


def is_parameter_name(text: str) -> bool:
    """Return whether a text can name a parameter: it is short, and nothing in it is hidden."""
    return 0 < len(text) <= PARAMETER_NAME_LIMIT and text.isprintable()
