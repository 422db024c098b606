"""Spaces of all kinds of statements, for property tests, and their points by brute force."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from jupyter_gridgpu.model.axes import Axis, Choice, Fixed, Range, Repeats, axis_values
from jupyter_gridgpu.model.expressions import Expression
from jupyter_gridgpu.model.statements import (
    Assign,
    Derived,
    Require,
    Statement,
    Together,
    When,
)

NAMES = [f"p{number}" for number in range(9)]
DEFAULTS = {name: number - 3 for number, name in enumerate(NAMES)}
SMALL = st.integers(-2, 3)
DISCRETE: st.SearchStrategy[Axis] = st.one_of(
    SMALL.map(Fixed),
    st.lists(SMALL, min_size=1, max_size=3, unique=True).map(lambda v: Choice(tuple(v))),
    st.lists(SMALL, min_size=2, max_size=3, unique=True).map(lambda v: Choice(tuple(v), True)),
    st.integers(1, 2).map(lambda n: Range(-1, -1 + n, whole=True)),
    st.integers(2, 3).map(lambda n: Range(0, n, whole=True, step=2)),
    st.integers(1, 2).map(lambda n: Range(0.0, 0.1 * n, step=0.1)),
)
CONTINUOUS: st.SearchStrategy[Axis] = st.sampled_from(
    [Range(0.0, 1.0), Range(1e-4, 1.0, log=True), Range(1, 1000, log=True, whole=True)]
)


class Builder:
    """Draws statements that read only what is given above them."""

    def __init__(self, draw: st.DrawFn, axes: st.SearchStrategy[Axis], risky: bool) -> None:
        self.draw = draw
        self.axes = axes
        self.risky = risky  # whether expressions may have no value
        self.has_repeats = False

    def block(self, given: list[str], free: list[str], level: int) -> list[Statement]:
        """Return some statements; `given` and `free` are changed."""
        found: list[Statement] = []
        for _ in range(self.draw(st.integers(3 if level == 0 else 1, 7 if level == 0 else 2))):
            kinds = ["assign"] * bool(free) + ["together"] * (len(free) > 1)
            if given:
                kinds += ["require"] + ["derived"] * bool(free) + ["when"] * (level < 2)
            if not kinds:
                break
            kind = self.draw(st.sampled_from(kinds))
            found.append(getattr(self, f"_{kind}")(given, free, level))
        return found

    def _assign(self, given: list[str], free: list[str], level: int) -> Statement:
        name = free.pop(0)
        if level == 0 and not self.has_repeats and self.draw(st.integers(0, 9)) == 0:
            self.has_repeats = True
            return Assign(name, Repeats(2))  # nothing can read it
        given.append(name)
        return Assign(name, self.draw(self.axes))

    def _together(self, given: list[str], free: list[str], level: int) -> Statement:
        names = (free.pop(0), free.pop(0))
        given.extend(names)
        rows = self.draw(st.lists(st.tuples(SMALL, SMALL), min_size=1, max_size=3, unique=True))
        return Together(names, tuple(rows))

    def _derived(self, given: list[str], free: list[str], level: int) -> Statement:
        text = self.sum(given)
        name = free.pop(0)
        given.append(name)
        return Assign(name, Derived(Expression(text)))

    def _require(self, given: list[str], free: list[str], level: int) -> Statement:
        return Require(Expression(self.condition(given)))

    def _when(self, given: list[str], free: list[str], level: int) -> Statement:
        condition = Expression(self.condition(given))
        inside, left = list(given), list(free)
        then = self.block(inside, left, level + 1)
        # The other branch may give the same names again.
        inside_other, left_other = list(given), list(free)
        other: list[Statement] = []
        if self.draw(st.booleans()):
            other = self.block(inside_other, left_other, level + 1)
        given += sorted((set(inside) | set(inside_other)) - set(given))
        free[:] = [name for name in left if name in left_other]
        return When(condition, tuple(then), tuple(other))

    def sum(self, given: list[str]) -> str:
        one = self.draw(st.sampled_from(given))
        other = self.draw(st.sampled_from([*given, "2"]))
        signs = ["+", "*", "-", "//", "%"] if self.risky else ["+", "*", "-"]
        return f"{one} {self.draw(st.sampled_from(signs))} {other}"

    def condition(self, given: list[str]) -> str:
        sign = self.draw(st.sampled_from(["<", "<=", "==", "!=", ">"]))
        text = f"{self.sum(given)} {sign} {self.draw(SMALL)}"
        if self.draw(st.integers(0, 3)) == 0:
            word = self.draw(st.sampled_from(["and", "or", "and not"]))
            text += f" {word} {self.draw(st.sampled_from(given))} in (0, 1, 2)"
        return str(Expression(text).text)


@st.composite
def statements(
    draw: st.DrawFn, axes: st.SearchStrategy[Axis] = DISCRETE, risky: bool = False
) -> list[Statement]:
    """Draw the statements of a space that makes sense."""
    return Builder(draw, axes, risky).block([], list(NAMES), 0)


def brute_force(made: Iterable[Statement]) -> list[dict[str, Any]]:
    """Return the points of a grid: the whole product, filtered by conditions and constraints.

    It evaluates expressions by Python itself, and reads nothing of the code that is tested.
    """
    made = list(made)
    drawn = list(_drawn(made))
    found: dict[str, dict[str, Any]] = {}
    for values in itertools.product(*(options for _, options in drawn)):
        picked = {place: value for (place, _), value in zip(drawn, values, strict=True)}
        chosen: dict[str, Any] = {}
        if _holds(made, picked, dict(DEFAULTS), chosen):
            found.setdefault(repr(sorted(chosen.items())), chosen)
    return list(found.values())


def _drawn(made: Iterable[Statement]) -> Iterable[tuple[int, list[Any]]]:
    for item in made:
        if isinstance(item, When):
            yield from _drawn((*item.statements, *item.otherwise))
        elif isinstance(item, Together):
            yield id(item), list(item.rows)
        elif isinstance(item, Assign) and isinstance(item.what, (Choice, Range)):
            yield id(item), list(axis_values(item.what))


def _holds(
    made: Iterable[Statement], picked: dict[int, Any], values: dict[str, Any], chosen: Any
) -> bool:
    for item in made:
        if isinstance(item, When):
            branch = item.statements if eval(item.condition.text, values) else item.otherwise
            if not _holds(branch, picked, values, chosen):
                return False
        elif isinstance(item, Require):
            if not eval(item.condition.text, values):
                return False
        elif isinstance(item, Together):
            pairs = dict(zip(item.names, picked[id(item)], strict=True))
            chosen.update(pairs)
            values.update(pairs)
        elif id(item) in picked:
            chosen[item.name] = values[item.name] = picked[id(item)]
        elif isinstance(item.what, Derived):
            values[item.name] = eval(item.what.expression.text, values)
        else:
            values[item.name] = item.what.value if isinstance(item.what, Fixed) else 0
    return True
