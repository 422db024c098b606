"""The cell body: Python assignments that say which values each parameter takes.

    lr     = loguniform(1e-4, 1e-2)     a range, both ends included
    units  = [64, 128]                  a list is a choice
    seed   = repeats(3)                 every point three times
    epochs = 20                         a single value is fixed

Only assignments are accepted. Their right sides are evaluated with the functions of this module
and with the names that the caller hands over: in a notebook, the variables of the user.
docs/space.md is the reference for users.
"""

from __future__ import annotations

import ast
import math
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.constants import check_constants
from jupyter_gridgpu.model.numbers import to_float
from jupyter_gridgpu.model.plain_values import Budget, NotPlain, is_text, plain
from jupyter_gridgpu.model.space import GRID_LIMIT, Axis, Choice, Fixed, Range, Repeats, Space

REPEATS_LIMIT = 1000
# Characters of one value. A value stands in the journal once for each variant that has it.
VALUE_LIMIT = 100_000
DIGITS_ERROR = "integer string conversion"  # a part of what Python says of too many digits
QUOTED_LIMIT = 60  # characters of the user's code in an error

# The functions that a cell may call. They raise SpaceError for values that make no axis.


def uniform(low: float, high: float) -> Range:
    """Any number from `low` to `high`, both ends included."""
    return _range("uniform", low, high)


def loguniform(low: float, high: float) -> Range:
    """Any number from `low` to `high`, spread evenly in the logarithm; `low` is above 0."""
    return _range("loguniform", low, high, log=True)


def integer(low: int, high: int) -> Range:
    """Any whole number from `low` to `high`, both ends included."""
    return _range("integer", low, high, whole=True)


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


FUNCTIONS: dict[str, Callable[..., Axis]] = {
    "uniform": uniform,
    "loguniform": loguniform,
    "integer": integer,
    "logint": logint,
    "choice": choice,
    "linspace": linspace,
    "geomspace": geomspace,
    "fixed": fixed,
    "repeats": repeats,
}


def parse_space(body: str, names: Mapping[str, Any] | None = None) -> Space:
    """Return the Space that a cell body describes.

    `names` are the variables that expressions may use; the functions of this module win over them.
    Raises SpaceError, with the line, for anything that is no assignment or cannot be evaluated.
    """
    axes: dict[str, Axis] = {}
    scope = {**(names or {}), **FUNCTIONS}
    for line, name, expression in _assignments(body):
        if name in axes:
            raise SpaceError(f"Line {line}: {name} is given twice; keep one of the two.")
        try:
            axes[name] = to_axis(_evaluate(expression, scope))
        except SpaceError as error:
            raise SpaceError(f"Line {line}, {name}: {error}") from None
    return _checked(axes)


def space_of(values: Mapping[str, Any]) -> Space:
    """Return the Space of a Python mapping, with the same rules as the cell body.

    `{"lr": [0.1, 0.2], "epochs": 20}` is a choice and a fixed value. Raises SpaceError.
    """
    axes: dict[str, Axis] = {}
    for name, value in values.items():
        try:
            axes[name] = to_axis(value)
        except SpaceError as error:
            raise SpaceError(f"{name}: {error}") from None
    return _checked(axes)


def to_axis(value: Any) -> Axis:
    """Return the axis of a value: a list is a choice, any other value is fixed.

    A value that is an axis already stays as it is. Raises SpaceError.
    """
    if isinstance(value, (Fixed, Choice, Range, Repeats)):
        return value
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


def _assignments(body: str) -> list[tuple[int, str, ast.expr]]:
    """Return line, name and right side of each assignment. Raises SpaceError."""
    if not is_text(body):
        raise SpaceError(
            "The space has bytes that are no UTF-8 (lone surrogates), which no notebook can hold:"
            " write these values again."
        )
    try:
        tree = _parsed(body)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        # Only a SyntaxError knows its line. The others come of code that is nested too deeply,
        # or that has a null byte in it.
        line = getattr(error, "lineno", None)
        where = f"Line {line}" if line else "The cell"
        if DIGITS_ERROR in str(error):
            raise SpaceError(f"{where}: a number has more than 4,000 digits.") from None
        raise SpaceError(
            f"{where} is not Python: {getattr(error, 'msg', error)}."
            " Write one assignment a line, like lr = [1e-3, 1e-4]."
        ) from None
    return [(node.lineno, *_target(node)) for node in tree.body]


def _parsed(body: str) -> ast.Module:
    """Return the syntax of a cell body, whose lines may all be indented."""
    try:
        return ast.parse(body)
    except IndentationError:
        return ast.parse(textwrap.dedent(body))


def _target(node: ast.stmt) -> tuple[str, ast.expr]:
    """Return name and right side of an assignment. Raises SpaceError for other statements."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
        if isinstance(target, ast.Name):
            return target.id, node.value
    # `lr: float = 0.1`
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
        return node.target.id, node.value
    raise SpaceError(
        f"Line {node.lineno} is not an assignment of one name: {_quote(node)}."
        " Only lines like lr = [1e-3, 1e-4] belong here."
    )


def _quote(node: ast.stmt) -> str:
    """Return the beginning of a statement, to be shown in an error."""
    try:
        text = ast.unparse(node).splitlines()[0]
    except RecursionError:
        return "a statement that is nested too deeply"
    if len(text) <= QUOTED_LIMIT:
        return text
    return text[: QUOTED_LIMIT - 1] + "…"


def _evaluate(expression: ast.expr, scope: dict[str, Any]) -> Any:
    """Return the value of an expression. Raises SpaceError for whatever goes wrong in it."""
    if isinstance(expression, ast.NamedExpr):
        # The second name would be lost without a word.
        raise SpaceError("`:=` gives a second name; write one assignment a line.")
    check_constants(expression)
    try:
        # Some errors are found only here: `await` and `yield` belong into functions.
        code = compile(ast.Expression(expression), "<gridscan>", "eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise SpaceError(f"it is no value: {getattr(error, 'msg', error)}.") from None
    try:
        # It is the user's own cell in the user's own kernel, where it could run anything anyway.
        return eval(code, dict(scope))
    except SpaceError:
        raise
    except MemoryError:
        raise SpaceError("it takes more memory than there is.") from None
    except (Exception, SystemExit) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise SpaceError(f"{type(error).__name__}: {reason}.") from None


def _checked(axes: dict[str, Axis]) -> Space:
    """Return the space of axes. Raises SpaceError if there are none, or more than one repeats."""
    if not axes:
        raise SpaceError("The space is empty: give at least one parameter, like lr = [1e-3, 1e-4].")
    repeated = [name for name, axis in axes.items() if isinstance(axis, Repeats)]
    if len(repeated) > 1:
        raise SpaceError(
            f"repeats() is given to {' and '.join(repeated)};"
            " only one parameter can be the repeated seed."
        )
    return Space(axes)


def _range(word: str, low: Any, high: Any, *, log: bool = False, whole: bool = False) -> Range:
    """Return the range of the function `word`. Raises SpaceError for impossible ends."""
    text = f"{word}({low!r}, {high!r})"
    low, high = _bound(text, low, whole), _bound(text, high, whole)
    if low >= high:
        raise SpaceError(f"{text}: the lower end must be below the upper one.")
    if log and low <= 0:
        raise SpaceError(f"{text}: the lower end must be above 0, since the range is logarithmic.")
    return Range(low, high, log, whole)


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
