"""The words of a space: functions that make axes, and what makes an axis of any value.

They raise SpaceError for values that make no axis. docs/space.md is the reference for users.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import length_hint
from typing import Any

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.axes import GRID_LIMIT, Axis, Choice, Fixed, Range, Repeats, axis_size
from jupyter_gridgpu.model.numbers import to_float
from jupyter_gridgpu.model.plain_values import Budget, NotPlain, plain

REPEATS_LIMIT = 1000
STEPS_LIMIT = 10**9  # values of a range with steps
# Characters of one value. A value stands in the journal once for each variant that has it.
VALUE_LIMIT = 100_000


@dataclass(frozen=True)
class Rows:
    """Values that several parameters take together, row by row."""

    rows: tuple[tuple[Any, ...], ...]


def uniform(low: float, high: float, step: float | None = None) -> Range:
    """Any number from `low` to `high`, both ends included; with `step`, only those at its steps."""
    return _range("uniform", low, high, step=step)


def loguniform(low: float, high: float) -> Range:
    """Any number from `low` to `high`, spread evenly in the logarithm; `low` is above 0."""
    return _range("loguniform", low, high, log=True)


def integer(low: int, high: int, step: int | None = None) -> Range:
    """Any whole number from `low` to `high`, both ends included; with `step`, as for `uniform`."""
    return _range("integer", low, high, whole=True, step=step)


def logint(low: int, high: int) -> Range:
    """Any whole number from `low` to `high`, spread evenly in the logarithm."""
    return _range("logint", low, high, log=True, whole=True)


def choice(*values: Any) -> Choice:
    """One of the values: `choice(1, 2, 3)`. A single list or tuple stands for its items."""
    if len(values) == 1:
        listed = _listed(values[0])
        if listed is not None:
            values = listed
    return _choice("choice(...)", values)


def ordinal(*values: Any) -> Choice:
    """One of the values, as `choice` has them, in an order that means something: small to large."""
    if not values:
        raise SpaceError("ordinal(...) is empty: give at least one value.")
    return Choice(choice(*values).values, ordered=True)


def together(*rows: Any) -> Rows:
    """Rows of values that several parameters take together, for example [(64, 4), (128, 3)]."""
    listed = rows if len(rows) > 1 or not rows else _row_list(rows[0])
    if not listed:
        raise SpaceError("together(...) needs rows: a, b = together([(1, 2), (3, 4)]).")
    if len(listed) > GRID_LIMIT:
        raise SpaceError(f"together(...) has more than {GRID_LIMIT:,} rows.")
    budget = Budget()
    made: list[tuple[Any, ...]] = []
    for number, row in enumerate(listed, 1):
        values = _listed(row)
        if values is None:
            raise SpaceError(f"together(...): row {number} is no list of values.")
        if made and len(values) != len(made[0]):
            raise SpaceError(
                f"together(...): row {number} has {len(values)} values, row 1 has {len(made[0])}."
            )
        made.append(tuple(_plain(value, budget) for value in values))
    return Rows(tuple(made))


def _row_list(value: Any) -> Sequence[Any]:
    """Return the rows of a list, an array or a zip."""
    if isinstance(value, zip):
        return _zipped(value)
    if getattr(value, "ndim", None) == 2 and callable(getattr(value, "tolist", None)):
        return list(value[: GRID_LIMIT + 1].tolist())
    return _listed(value) or ()


def _zipped(rows: Any) -> Sequence[Any]:
    """Return the rows of a zip. Raises SpaceError where it would drop values of a longer list."""
    try:
        lengths = [length_hint(source, -1) for source in rows.__reduce__()[1]]
    except (AttributeError, TypeError):
        # A later Python may not tell what a zip is made of.
        lengths = []
    known = sorted(set(lengths) - {-1})
    if len(known) > 1:
        raise SpaceError(
            f"together(...): zip gets lists of {known[0]} and {known[-1]} values; give as many of"
            " each."
        )
    try:
        return list(islice(rows, GRID_LIMIT + 1))
    except ValueError as error:  # of zip(..., strict=True)
        raise SpaceError(f"together(...): {error}.") from None


def permutation(*values: Any) -> Axis:
    """No axis: it raises SpaceError, which says what to write."""
    raise SpaceError(
        "an order of values is no axis: write choice([1, 2, 3], [3, 1, 2]) with the orders to try."
    )


def linspace(low: float, high: float, n: int) -> Choice:
    """`n` values at equal steps, both ends included."""
    low, high, n = _steps("linspace", low, high, n)
    if n == 1:
        return Choice((low,))
    step = (high - low) / (n - 1)
    # The last value is `high` itself: a sum of steps may miss it by a rounding.
    return Choice((*(low + step * index for index in range(n - 1)), high))


def geomspace(low: float, high: float, n: int) -> Choice:
    """`n` values at equal factors, both ends included."""
    low, high, n = _steps("geomspace", low, high, n)
    if low <= 0 or high <= 0:
        raise SpaceError(
            f"geomspace({low}, {high}, {n}): both ends must be above 0, since it steps by a factor."
        )
    if n == 1:
        return Choice((low,))
    ratio = math.log(high / low) / (n - 1)
    # Both ends are the numbers that were given, without the rounding of exp and log.
    between = (low * math.exp(ratio * index) for index in range(1, n - 1))
    return Choice((low, *between, high))


def fixed(value: Any) -> Fixed:
    """This value in every variant, also where it is a list."""
    return Fixed(_plain(value))


def repeats(n: int) -> Repeats:
    """Every point `n` times; the parameter is 0, 1, ..., n - 1."""
    if not _is_whole(n) or not 1 <= n <= REPEATS_LIMIT:
        raise SpaceError(f"repeats({n!r}): give a whole number from 1 to {REPEATS_LIMIT}.")
    return Repeats(int(n))


FUNCTIONS: dict[str, Callable[..., Axis | Rows]] = {
    "uniform": uniform,
    "loguniform": loguniform,
    "integer": integer,
    "logint": logint,
    "choice": choice,
    "ordinal": ordinal,
    "together": together,
    "linspace": linspace,
    "geomspace": geomspace,
    "fixed": fixed,
    "repeats": repeats,
}
# They give way to a variable of the same name.
REFUSED: dict[str, Callable[..., Axis]] = {"permutation": permutation, "permutations": permutation}


def to_axis(value: Any) -> Axis:
    """Return the axis of a value: a list is a choice, any other value is fixed.

    A value that is an axis already stays as it is. Raises SpaceError.
    """
    if isinstance(value, (Fixed, Choice, Range, Repeats)):
        return value
    if isinstance(value, Rows):
        raise SpaceError("together(...) gives values to several names: a, b = together([(1, 2)]).")
    if type(value).__name__ == "permutations":
        return permutation()
    listed = _listed(value)
    if listed is not None:
        return _choice("the list", listed)
    return Fixed(_plain(value))


def _listed(value: Any) -> tuple[Any, ...] | None:
    """Return the items of a list, tuple, range or array of one dimension, else None."""
    if isinstance(value, (list, tuple)):
        return tuple(value)
    if isinstance(value, range):
        # range(10**12) takes no memory, a tuple of it does. One item more than is allowed is
        # enough for the complaint about too many.
        return tuple(value[: GRID_LIMIT + 1])
    # NumPy and pandas arrays, without importing either.
    if getattr(value, "ndim", None) == 1 and callable(getattr(value, "tolist", None)):
        return tuple(value[: GRID_LIMIT + 1].tolist())
    return None


def _range(
    word: str, low: Any, high: Any, *, log: bool = False, whole: bool = False, step: Any = None
) -> Range:
    """Return the range of the function `word`. Raises SpaceError for impossible ends."""
    text = f"{word}({low!r}, {high!r})"
    low, high = _bound(text, low, whole), _bound(text, high, whole)
    if low >= high:
        raise SpaceError(f"{text}: the lower end must be below the upper one.")
    if log and low <= 0:
        raise SpaceError(f"{text}: the lower end must be above 0, since the range is logarithmic.")
    if step is None:
        return Range(low, high, log, whole)
    text = f"{text[:-1]}, step={step!r})"
    try:
        step = _bound(text, step, whole)
    except SpaceError:
        raise SpaceError(f"{text}: the step must be a {'whole ' * whole}number.") from None
    if not 0 < step <= high - low:
        raise SpaceError(f"{text}: the step must be above 0, and fit between the ends.")
    made = Range(low, high, log, whole, step)
    if (axis_size(made) or 0) > STEPS_LIMIT:
        raise SpaceError(f"{text}: that makes more than {STEPS_LIMIT:,} values.")
    return made


def _bound(text: str, value: Any, whole: bool) -> Any:
    """Return one end of a range as a plain number. Raises SpaceError that begins with `text`."""
    value = _plain(value)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    # An integer may be too large for a float: to_float makes an infinity of such a one.
    if not number or not math.isfinite(to_float(value)):
        raise SpaceError(f"{text}: both ends must be finite numbers.")
    if not whole:
        return float(value)
    if not _is_whole(value):
        raise SpaceError(f"{text}: both ends must be whole numbers.")
    return int(value)


def _steps(word: str, low: Any, high: Any, n: Any) -> tuple[float, float, int]:
    """Return both ends of stepped values and how many there are, as plain numbers."""
    text = f"{word}({low!r}, {high!r}, {n!r})"
    if not _is_whole(n) or not 1 <= n <= GRID_LIMIT:
        raise SpaceError(
            f"{text}: the number of values must be a whole number from 1 to {GRID_LIMIT:,}."
        )
    return _bound(text, low, whole=False), _bound(text, high, whole=False), int(n)


def _choice(what: str, values: tuple[Any, ...]) -> Choice:
    """Return the choice of some values; `what` names them in a SpaceError."""
    if not values:
        raise SpaceError(f"{what} is empty: give at least one value.")
    if len(values) > GRID_LIMIT:
        raise SpaceError(f"{what} has {len(values):,} values; at most {GRID_LIMIT:,} are allowed.")
    budget = Budget()
    return Choice(tuple(_plain(value, budget) for value in values))


def _is_whole(value: Any) -> bool:
    """Return whether a value is a whole number, as 3, 3.0 and np.int64(3) are."""
    try:
        return not isinstance(value, bool) and int(value) == value
    except (TypeError, ValueError, OverflowError):
        return False


def _plain(value: Any, budget: Budget | None = None) -> Any:
    """Return a value as papermill can write it. Raises SpaceError if it cannot be written."""
    try:
        found = plain(value, budget)
    except NotPlain as error:
        raise SpaceError(str(error)) from None
    if isinstance(found, (str, list, dict)) and len(repr(found)) > VALUE_LIMIT:
        raise SpaceError(
            f"the value has more than {VALUE_LIMIT:,} characters;"
            " put it into a file and give the file's name."
        )
    return found
