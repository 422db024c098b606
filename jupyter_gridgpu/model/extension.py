"""What `extend` adds to a scan: points, values of axes, repeats.

    --add 'lr = [1e-5, 3e-5]'            two values more in the list of lr
    --add 'lr = loguniform(1e-5, 1)'     the range of lr gets wider
    --add 'a, b = together([(5, 6)])'    one row more
    --repeats 5                          every point five times in all

A value that an axis has keeps its place in it: new values come behind it, so that what a sampler
has coded by places stays true. Only a range may grow at both ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model import numbers, space_record
from jupyter_gridgpu.model.axes import (
    GRID_LIMIT,
    Axis,
    Choice,
    Fixed,
    Range,
    Repeats,
    axis_size,
    exact,
)
from jupyter_gridgpu.model.axis_words import REPEATS_LIMIT
from jupyter_gridgpu.model.fields import Fields, is_bounded
from jupyter_gridgpu.model.space import Space, is_parameter_name
from jupyter_gridgpu.model.space_cell import axis_text, value_text
from jupyter_gridgpu.model.statements import (
    Assign,
    Derived,
    Statement,
    Together,
    When,
    names_given,
)
from jupyter_gridgpu.model.units import count_text

TRIALS_LIMIT = 1_000_000
VALUES_SHOWN = 8  # of one axis, in a sentence
TEXT_LIMIT = 200  # characters of one part of a sentence
EXTENDING = ("add", "repeats", "points")  # keys of a command, beside `trials`


@dataclass(frozen=True)
class Extension:
    """What one command adds to a scan."""

    trials: int = 0  # points that the sampler proposes in addition
    add: tuple[Statement, ...] = ()  # axes, each with the values that are new
    repeats: int | None = None  # how often every point is run in all
    points: tuple[dict[str, Any], ...] = ()  # own points: values of the searched parameters

    @property
    def grows(self) -> bool:
        """Whether it adds anything but points of the sampler."""
        return bool(self.add or self.points) or self.repeats is not None

    def texts(self) -> list[str]:
        """Return what it adds, each part in a few words."""
        parts = [_text(item) for item in self.add]
        if self.repeats is not None:
            parts.append(f"{self.repeats:,} repeats")
        if self.points:
            parts.append(count_text(len(self.points), "own point"))
        if self.trials:
            parts.append(f"{count_text(self.trials, 'point')} more")
        return parts


def to_json(extension: Extension) -> dict[str, Any]:
    """Return an extension as a command has it; what it does not add is left out."""
    made: dict[str, Any] = {"trials": extension.trials or None}
    if extension.add:
        made["add"] = space_record.to_json(Space.of(extension.add))
    if extension.repeats is not None:
        made["repeats"] = extension.repeats
    if extension.points:
        made["points"] = [dict(point) for point in extension.points]
    return dict(numbers.encode_all(made))


def from_json(body: Mapping[str, Any]) -> Extension:
    """Return the extension that `to_json` wrote. Raises DamagedRecord or SpaceError."""
    fields = Fields(dict(body), "The extension")
    add: tuple[Statement, ...] = ()
    if body.get("add") is not None:
        add = space_record.from_json(fields.inner_list("add")).body
        require_axes(add)
    return Extension(
        fields.maybe("trials", fields.whole, 1, TRIALS_LIMIT) or 0,
        add,
        fields.maybe("repeats", fields.whole, 1, REPEATS_LIMIT),
        _points(fields) if body.get("points") is not None else (),
    )


def keys_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return those keys of a command that only an extension of the space or of points has."""
    return {name: body[name] for name in EXTENDING if body.get(name) is not None}


def _points(fields: Fields) -> tuple[dict[str, Any], ...]:
    found = fields.items("points")
    for point in found:
        sound = isinstance(point, dict) and all(map(is_parameter_name, point))
        if not sound or not is_bounded(point):
            raise fields.wrong("points", "a list of points, each with values of parameters")
    return tuple(numbers.decode_all(found))


def require_axes(statements: Iterable[Statement]) -> None:
    """Raise SpaceError if a statement is anything but an axis or rows with values to add."""
    for item in statements:
        if isinstance(item, Together):
            continue
        if not isinstance(item, Assign) or isinstance(item.what, Derived):
            raise SpaceError("Only values of axes can be added, in lines like lr = [1e-5, 3e-5].")
        if isinstance(item.what, Repeats):
            raise SpaceError(f"{item.name}: more repeats are asked for with --repeats N.")


def extended(space: Space, extension: Extension) -> Space:
    """Return the space with what an extension adds. Raises SpaceError if it cannot be added."""
    body = space.body
    for item in extension.add:
        old = _line_of(space, body, tuple(names_given([item])))
        body = _replaced(body, old, _joined(old, item))
    if extension.repeats is not None:
        line = _repeats_of(space, body, extension.repeats)
        body = _replaced(body, line, Assign(line.name, Repeats(extension.repeats)))
    made = Space.of(body, space.defaults, space.remarks)
    return replace(made, before=space if extension.add else space.before)


# The line that is meant ---------------------------------------------------------------


def _flat(statements: Iterable[Statement]) -> Iterator[Assign | Together]:
    for item in statements:
        if isinstance(item, When):
            yield from _flat((*item.statements, *item.otherwise))
        elif isinstance(item, (Assign, Together)):
            yield item


def _line_of(space: Space, body: Sequence[Statement], names: tuple[str, ...]) -> Assign | Together:
    """Return the line whose axis gets values. Raises SpaceError unless there is exactly one."""
    shown = ", ".join(names)
    lines = [item for item in _flat(body) if not set(names).isdisjoint(names_given([item]))]
    open_ones = [item for item in lines if _is_open(item)]
    if len(open_ones) > 1 and len(names) == 1:
        raise SpaceError(
            f"{shown} gets values in {len(open_ones)} lines of the space, and it is not clear which"
            " one is meant: start a new scan."
        )
    if len(open_ones) == 1 and set(names_given(open_ones)) == set(names):
        return open_ones[0]
    for item in lines:
        _refuse_line(item, names)
    unknown = ", ".join(name for name in names if name not in set(space)) or shown
    listed = ", ".join(space.searched) or "none with several values"
    raise SpaceError(f"{unknown} is no parameter that the scan varies; there are {listed}.")


def _is_open(item: Assign | Together) -> bool:
    return isinstance(item, Together) or isinstance(item.what, (Choice, Range))


def _refuse_line(item: Assign | Together, names: tuple[str, ...]) -> None:
    """Raise SpaceError that says why a line gets no values of these parameters."""
    shown = ", ".join(names)
    if isinstance(item, Together):
        rows = ", ".join(item.names)
        raise SpaceError(f"{shown}: rows are added together, like {rows} = together([(...)]).")
    if len(names) > 1:
        raise SpaceError(f"{shown} have no rows in the scan; add values to each of them.")
    if isinstance(item.what, Repeats):
        raise SpaceError(f"{shown} repeats every point: more repeats are asked for with --repeats.")
    if isinstance(item.what, Derived):
        raise SpaceError(f"{shown} follows from other parameters; add values to those.")
    if isinstance(item.what, Fixed):
        # Other lines may have been computed from it when the cell was read.
        raise SpaceError(
            f"{shown} has one value in all points of the scan; start a new scan that varies it."
        )


def _replaced(body: Sequence[Statement], old: Statement, new: Statement) -> tuple[Statement, ...]:
    """Return the statements with one of them replaced, wherever it stands."""
    made: list[Statement] = []
    for item in body:
        if item is old:
            made.append(new)
        elif isinstance(item, When):
            then = _replaced(item.statements, old, new)
            made.append(When(item.condition, then, _replaced(item.otherwise, old, new)))
        else:
            made.append(item)
    return tuple(made)


def _repeats_of(space: Space, body: Sequence[Statement], count: int) -> Assign:
    """Return the line that repeats points. Raises SpaceError if there are no more repeats."""
    for item in _flat(body):
        if isinstance(item, Assign) and isinstance(item.what, Repeats):
            if count <= item.what.count:
                raise SpaceError(
                    f"{item.name}: every point has {item.what.count} repeats already, and"
                    " --repeats N says how many there are in all: give a larger N."
                )
            return item
    raise SpaceError(
        "No parameter of the scan repeats its points, so there are no repeats to add: start a new"
        " scan with a line like seed = repeats(3)."
    )


# Values -------------------------------------------------------------------------------


def _joined(old: Assign | Together, new: Statement) -> Statement:
    """Return a line with the values of another one behind its own. Raises SpaceError."""
    if isinstance(old, Together):
        assert isinstance(new, Together)
        places = [new.names.index(name) for name in old.names]
        rows = [tuple(row[place] for place in places) for row in new.rows]
        _require_new(", ".join(old.names), old.rows, rows)
        return Together(old.names, (*old.rows, *rows))
    assert isinstance(new, Assign)
    assert not isinstance(new.what, (Derived, Repeats))
    assert isinstance(old.what, (Choice, Range))
    if isinstance(old.what, Range):
        return Assign(old.name, _wider(old.name, old.what, new.what))
    return Assign(old.name, _longer(old.name, old.what, new.what))


def _longer(name: str, old: Choice, new: Axis) -> Choice:
    """Return a list with more values behind its own."""
    if isinstance(new, Range):
        raise SpaceError(f"{name} has a list of values: give more of them as a list.")
    assert not isinstance(new, Repeats)
    values = (new.value,) if isinstance(new, Fixed) else new.values
    if isinstance(new, Choice) and new.ordered and not old.ordered:
        raise SpaceError(f"{name}: its values have no order in the scan; give a plain list.")
    _require_new(name, old.values, values)
    made = Choice((*old.values, *values), old.ordered)
    if old.ordered and _in_order(old.values) and not _in_order(made.values):
        raise SpaceError(
            f"{name}: its values have an order, so new ones come behind"
            f" {value_text(old.values[-1])}; start a new scan for values between or before."
        )
    return made


def _require_new(name: str, old: Sequence[Any], new: Sequence[Any]) -> None:
    """Raise SpaceError if a value is there already, or if there are too many."""
    known = {_key(value) for value in old}
    for value in new:
        key = _key(value)
        if key in known:
            shown = value_text(list(value) if isinstance(value, tuple) else value)
            raise SpaceError(f"{name}: {shown[:TEXT_LIMIT]} is there already; add others.")
        known.add(key)
    if len(known) > GRID_LIMIT:
        raise SpaceError(f"{name}: that makes more than {GRID_LIMIT:,} values.")


def _key(value: Any) -> Any:
    """Return what equal values have in common: 1 and 1.0 are equal, True and 1 are not."""
    if isinstance(value, (list, tuple)):
        return tuple(map(_key, value))
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value == value:
        return ("number", value)
    return repr(value)


def _in_order(values: Sequence[Any]) -> bool:
    """Return whether values are numbers that only grow, or only shrink."""
    if not all(isinstance(value, (int, float)) for value in values):
        return False
    pairs = list(zip(values, values[1:]))
    return all(a < b for a, b in pairs) or all(a > b for a, b in pairs)


def _wider(name: str, old: Range, new: Axis) -> Range:
    """Return the range that holds all of two ranges. Raises SpaceError if they do not fit."""
    text = axis_text(old)
    if not isinstance(new, Range) or _kind(old) != _kind(new):
        raise SpaceError(
            f"{name} has the range {text}: give a range of the same kind, which is joined to it."
        )
    gap = Fraction(0)
    if old.step is not None or old.whole:
        gap = exact(old.step or 1)
    if ((exact(new.low) - exact(old.low)) % gap if gap else 0) != 0:
        raise SpaceError(f"{name}: its values begin at {old.low:g} and have the steps of {text}.")
    if exact(new.low) - _last(old) > gap or exact(old.low) - _last(new) > gap:
        raise SpaceError(f"{name}: there is a gap between {text} and what is added; join them.")
    if exact(new.low) >= exact(old.low) and _last(new) <= _last(old):
        raise SpaceError(f"{name}: {text} has all of these values already.")
    return replace(old, low=min(old.low, new.low), high=max(old.high, new.high))


def _kind(axis: Range) -> tuple[Any, ...]:
    return axis.log, axis.whole, axis.step


def _last(axis: Range) -> Fraction:
    """Return the largest value of a range."""
    size = axis_size(axis)
    if axis.step is None or size is None:
        return exact(axis.high)
    return exact(axis.low) + (size - 1) * exact(axis.step)


# Words --------------------------------------------------------------------------------


def _text(item: Statement) -> str:
    """Return the values that a line adds, like `lr = 1e-05, 3e-05`."""
    if isinstance(item, Together):
        rows = ["(" + ", ".join(map(_value, row)) + ")" for row in item.rows]
        return _short(f"{', '.join(item.names)} = {_listed(rows)}")
    assert isinstance(item, Assign)
    if isinstance(item.what, Choice):
        return _short(f"{item.name} = {_listed(list(map(_value, item.what.values)))}")
    assert not isinstance(item.what, Derived)
    return _short(f"{item.name} = {axis_text(item.what)}")


def _value(value: Any) -> str:
    """Return a value as the table shows it, 1e-05 for example."""
    is_number = isinstance(value, float) and value == value
    return repr(value) if is_number else value_text(value)


def _listed(texts: list[str]) -> str:
    more = len(texts) - VALUES_SHOWN
    listed = ", ".join(texts[:VALUES_SHOWN])
    return f"{listed} and {more:,} more" if more > 0 else listed


def _short(text: str) -> str:
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"
