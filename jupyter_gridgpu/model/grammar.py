"""The cell body: Python assignments that say which values each parameter takes.

    lr    = loguniform(1e-4, 1e-2)      a range, both ends included
    units = [64, 128]                   a list is a choice
    seed  = repeats(3)                  every point three times
    epochs = 20                         a scalar is fixed

Only assignments are accepted; their right sides are evaluated with the names below and, behind them, the names that
the caller hands over (in a notebook: the user's variables). docs/space.md is the reference for users.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.numbers import to_float
from jupyter_gridgpu.model.plain_values import NotPlain, plain
from jupyter_gridgpu.model.space import GRID_LIMIT, Axis, Choice, Fixed, Range, Repeats, Space

REPEATS_LIMIT = 1000
VALUE_LIMIT = (
    100_000  # characters of one value: it stands in every line of the journal that makes a variant
)


def uniform(low: float, high: float) -> Range:
    return _range("uniform", low, high)


def loguniform(low: float, high: float) -> Range:
    return _range("loguniform", low, high, log=True)


def integer(low: int, high: int) -> Range:
    return _range("integer", low, high, whole=True)


def logint(low: int, high: int) -> Range:
    return _range("logint", low, high, log=True, whole=True)


def choice(*values: Any) -> Choice:
    """`choice(1, 2, 3)`; a single list or tuple stands for its items."""
    listed = _listed(values[0]) if len(values) == 1 else None
    if listed is not None:
        values = listed
    return _choice("choice(...)", values)


def linspace(low: float, high: float, n: int) -> Choice:
    low, high, n = _steps("linspace", low, high, n)
    if n == 1:
        return Choice((low,))
    step = (high - low) / (n - 1)
    return Choice((*(low + step * i for i in range(n - 1)), high))


def geomspace(low: float, high: float, n: int) -> Choice:
    low, high, n = _steps("geomspace", low, high, n)
    if low <= 0 or high <= 0:
        raise SpaceError(
            f"geomspace({low}, {high}, {n}): both ends must be above 0, since it steps by a factor."
        )
    if n == 1:
        return Choice((low,))
    ratio = math.log(high / low) / (n - 1)
    return Choice((low, *(low * math.exp(ratio * i) for i in range(1, n - 1)), high))


def fixed(value: Any) -> Fixed:
    return Fixed(_plain(value))


def repeats(n: int) -> Repeats:
    if not _is_whole(n) or not 1 <= n <= REPEATS_LIMIT:
        raise SpaceError(f"repeats({n!r}): give a whole number from 1 to {REPEATS_LIMIT}.")
    return Repeats(int(n))


WORDS: dict[str, Callable[..., Axis]] = {
    function.__name__: function
    for function in (
        uniform,
        loguniform,
        integer,
        logint,
        choice,
        linspace,
        geomspace,
        fixed,
        repeats,
    )
}


def parse_space(body: str, names: Mapping[str, Any] | None = None) -> Space:
    """Return the Space that a cell body describes.

    `names` are the variables that expressions may use; the grammar's own words win over them.
    Raises SpaceError with the line for anything that is not an assignment or cannot be evaluated.
    """
    axes: dict[str, Axis] = {}
    scope = {**(names or {}), **WORDS}
    for line, name, expression in _assignments(body):
        if name in axes:
            raise SpaceError(f"Line {line}: {name} is given twice; keep one of the two.")
        axes[name] = _located(line, name, lambda e=expression: to_axis(_evaluate(e, scope)))  # type: ignore[misc]
    return _checked(axes)


def space_of(values: Mapping[str, Any]) -> Space:
    """Return the Space of a Python mapping, with the same rules as the cell body."""
    axes = {name: _located(None, name, partial(to_axis, value)) for name, value in values.items()}
    return _checked(axes)


def to_axis(value: Any) -> Axis:
    """A list is a choice, anything else that is not an Axis already is fixed."""
    if isinstance(value, (Fixed, Choice, Range, Repeats)):
        return value
    listed = _listed(value)
    if listed is not None:
        return _choice("the list", listed)
    return Fixed(_plain(value))


def _listed(value: Any) -> tuple[Any, ...] | None:
    """The items of a list, tuple, range or one-dimensional array; None for anything else."""
    if isinstance(value, (list, tuple)):
        return tuple(value)
    if isinstance(value, range):
        return tuple(value[: GRID_LIMIT + 1])
    if getattr(value, "ndim", None) == 1 and callable(getattr(value, "tolist", None)):
        return tuple(value.tolist())
    return None


def _assignments(body: str) -> list[tuple[int, str, ast.expr]]:
    try:
        tree = ast.parse(body)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        raise SpaceError(
            f"{f'Line {line}' if line else 'The cell'} is not Python: {getattr(error, 'msg', error)}."
            " Write one assignment a line, like lr = [1e-3, 1e-4]."
        ) from None
    return [(node.lineno, *_target(node)) for node in tree.body]


def _target(node: ast.stmt) -> tuple[str, ast.expr]:
    if (
        isinstance(node, ast.Assign)
        and len(node.targets) == 1
        and isinstance(node.targets[0], ast.Name)
    ):
        return node.targets[0].id, node.value
    if (
        isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and node.value is not None
    ):
        return node.target.id, node.value
    raise SpaceError(
        f"Line {node.lineno} is not an assignment of one name: {_quote(node)}. Only lines like lr = [1e-3, 1e-4] belong here."
    )


def _quote(node: ast.stmt) -> str:
    text = ast.unparse(node).splitlines()[0]
    return text if len(text) <= 60 else text[:59] + "…"


def _evaluate(expression: ast.expr, scope: dict[str, Any]) -> Any:
    code = compile(ast.Expression(expression), "<gridscan>", "eval")
    try:
        return eval(code, dict(scope))  # the user's own cell, in the user's own kernel
    except SpaceError:
        raise
    except (Exception, SystemExit) as error:
        raise SpaceError(f"{type(error).__name__}: {error}.") from None


def _located(line: int | None, name: str, make: Callable[[], Axis]) -> Axis:
    try:
        return make()
    except SpaceError as error:
        where = f"Line {line}, {name}" if line else name
        raise SpaceError(f"{where}: {error}") from None


def _checked(axes: dict[str, Axis]) -> Space:
    if not axes:
        raise SpaceError("The space is empty: give at least one parameter, like lr = [1e-3, 1e-4].")
    twice = [name for name, axis in axes.items() if isinstance(axis, Repeats)]
    if len(twice) > 1:
        raise SpaceError(
            f"repeats() is given to {' and '.join(twice)}; only one parameter can be the repeated seed."
        )
    return Space(axes)


def _range(word: str, low: Any, high: Any, *, log: bool = False, whole: bool = False) -> Range:
    text = f"{word}({low!r}, {high!r})"
    low, high = _bound(text, low, whole), _bound(text, high, whole)
    if low >= high:
        raise SpaceError(f"{text}: the lower end must be below the upper one.")
    if log and low <= 0:
        raise SpaceError(f"{text}: the lower end must be above 0, since the range is logarithmic.")
    return Range(low, high, log, whole)


def _bound(text: str, value: Any, whole: bool) -> Any:
    value = _plain(value)
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not math.isfinite(to_float(value))
    ):
        raise SpaceError(f"{text}: both ends must be finite numbers.")
    if whole and not _is_whole(value):
        raise SpaceError(f"{text}: both ends must be whole numbers.")
    return int(value) if whole else float(value)


def _steps(word: str, low: Any, high: Any, n: Any) -> tuple[float, float, int]:
    """Return both ends of stepped values and how many there are, as plain numbers."""
    text = f"{word}({low!r}, {high!r}, {n!r})"
    if not _is_whole(n) or not 1 <= n <= GRID_LIMIT:
        raise SpaceError(
            f"{text}: the number of values must be a whole number from 1 to {GRID_LIMIT:,}."
        )
    return _bound(text, low, whole=False), _bound(text, high, whole=False), int(n)


def _choice(what: str, values: tuple[Any, ...]) -> Choice:
    if not values:
        raise SpaceError(f"{what} is empty: give at least one value.")
    if len(values) > GRID_LIMIT:
        raise SpaceError(f"{what} has {len(values):,} values; at most {GRID_LIMIT:,} are allowed.")
    return Choice(tuple(_plain(value) for value in values))


def _is_whole(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and int(value) == value
    except (TypeError, ValueError, OverflowError):
        return False


def _plain(value: Any) -> Any:
    try:
        found = plain(value)
    except NotPlain as error:
        raise SpaceError(str(error)) from None
    if isinstance(found, (str, list, dict)) and len(repr(found)) > VALUE_LIMIT:
        raise SpaceError(
            f"the value has more than {VALUE_LIMIT:,} characters; put it into a file and give the file's name."
        )
    return found
