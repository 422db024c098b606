"""What an expression of a space can do, each operation with the bounds that it keeps.

Every operation is made once, of functions that give its operands, and is itself such a function: it
takes the values of the names and returns a value. It raises NoValue where it has no value.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Run = Callable[[Mapping[str, Any]], Any]
Compute = Callable[[Any, Any], Any]
# Below the largest float: so integers can be divided, and made floats, without a surprise.
LARGEST = 10**300
POWER_BITS = 1000  # of the result of `**`
TEXT_LIMIT = 1_000  # characters of a text
PLACES_LIMIT = 400  # of round(x, places)
_NUMBERS = frozenset((int, float, bool))
TOO_LARGE = "a number has more than 300 digits"
NO_NUMBER = "only numbers can be computed with"


class NoValue(Exception):
    """An expression has no value; the text says why."""


def check_size(value: Any) -> None:
    """Raise NoValue for a number or a text that is too large."""
    if type(value) is int and not -LARGEST <= value <= LARGEST:
        raise NoValue(TOO_LARGE)
    if type(value) is str and len(value) > TEXT_LIMIT:
        raise NoValue(f"a text has more than {TEXT_LIMIT:,} characters")


def name(word: str) -> Run:
    """Return the function that gives the value of a name. It raises KeyError if there is none."""
    return operator.itemgetter(word)


def binary(symbol: str, compute: Compute, left: Run, right: Run) -> Run:
    """Return the function of an operation on two numbers; `+` joins two texts as well."""

    def run(values: Mapping[str, Any]) -> Any:
        one, other = left(values), right(values)
        if type(one) not in _NUMBERS or type(other) not in _NUMBERS:
            return _joined(symbol, one, other)
        try:
            found = compute(one, other)
        except ZeroDivisionError:
            raise NoValue("a number is divided by zero") from None
        except OverflowError:
            raise NoValue(TOO_LARGE) from None
        if type(found) is int and not -LARGEST <= found <= LARGEST:
            raise NoValue(TOO_LARGE)
        return found

    return run


def _joined(symbol: str, one: Any, other: Any) -> str:
    """Return two texts as one. Raises NoValue for all that can be neither added nor joined."""
    if symbol != "+" or type(one) is not str or type(other) is not str:
        raise NoValue(f"{NO_NUMBER}, and `{symbol}` got {kind(one)} and {kind(other)}")
    if len(one) + len(other) > TEXT_LIMIT:
        raise NoValue(f"a text has more than {TEXT_LIMIT:,} characters")
    return one + other


def kind(value: Any) -> str:
    """Return what a value is, as a sentence says it."""
    if value is None:
        return "None"
    words = {bool: "a truth value", str: "a text", list: "a list", dict: "a dict"}
    return words.get(type(value), "a number")


def _power(base: Any, exponent: Any) -> Any:
    """Return `base ** exponent`, if it is a number that is not too large."""
    whole = isinstance(base, int) and isinstance(exponent, int)
    # 0, 1 and -1 stay what they are. A negative exponent makes a float, which is small.
    if whole and abs(base) > 1 and base.bit_length() * exponent > POWER_BITS:
        raise NoValue(TOO_LARGE)
    found = base**exponent
    if isinstance(found, complex):
        raise NoValue("`**` of a negative number is no real number")
    return found


BINARY: dict[type[ast.operator], tuple[str, Compute]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.FloorDiv: ("//", operator.floordiv),
    ast.Mod: ("%", operator.mod),
    ast.Pow: ("**", _power),
}
SIGNS: dict[type[ast.unaryop], tuple[str, Callable[[Any], Any]]] = {
    ast.USub: ("-", operator.neg),
    ast.UAdd: ("+", operator.pos),
}


def signed(symbol: str, compute: Callable[[Any], Any], operand: Run) -> Run:
    """Return the function of a sign before a number."""

    def run(values: Mapping[str, Any]) -> Any:
        value = operand(values)
        if type(value) not in _NUMBERS:
            raise NoValue(f"{NO_NUMBER}, and `{symbol}` got {kind(value)}")
        return compute(value)

    return run


def first(parts: Sequence[Run], wanted: bool) -> Run:
    """Return the function of `or` (wanted: True) or `and`: the first part that decides, as such."""
    *before, last = parts

    def run(values: Mapping[str, Any]) -> Any:
        for part in before:
            value = part(values)
            if bool(value) is wanted:
                return value
        return last(values)

    return run


def _ordered(symbol: str, compute: Compute) -> Compute:
    """Return a comparison by size, which not all pairs of values have."""

    def compare(one: Any, other: Any) -> bool:
        try:
            return bool(compute(one, other))
        except TypeError:
            raise NoValue(f"`{symbol}` cannot compare {kind(one)} and {kind(other)}") from None

    return compare


def _contains(one: Any, other: Any) -> bool:
    """Return whether `one in other` holds for a list, or for two texts."""
    if type(other) is list or (type(other) is str and type(one) is str):
        return one in other
    raise NoValue(f"`in` needs a list after it, and got {kind(other)}")


COMPARISONS: dict[type[ast.cmpop], Compute] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: _ordered("<", operator.lt),
    ast.LtE: _ordered("<=", operator.le),
    ast.Gt: _ordered(">", operator.gt),
    ast.GtE: _ordered(">=", operator.ge),
    ast.In: _contains,
    ast.NotIn: lambda one, other: not _contains(one, other),
}
IDENTITY: dict[type[ast.cmpop], Compute] = {
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}


def chained(compares: Sequence[Compute], runs: Sequence[Run]) -> Run:
    """Return the function of `a < b <= c`, with one comparison less than operands."""
    if len(compares) == 1:
        (compare,), (left, right) = compares, runs
        return lambda values: compare(left(values), right(values))
    begin, rest = runs[0], list(zip(compares, runs[1:]))

    def run(values: Mapping[str, Any]) -> bool:
        one = begin(values)
        for compare, operand in rest:
            other = operand(values)
            if not compare(one, other):
                return False
            one = other
        return True

    return run


def listed(parts: Sequence[Run]) -> Run:
    """Return the function of a list."""
    return lambda values: [part(values) for part in parts]


def _int(value: Any) -> Any:
    try:
        return int(value)
    except (ValueError, OverflowError):
        raise NoValue(f"int(...) of {value!r} is no number") from None


def _round(value: Any, places: Any = None) -> Any:
    if places is not None and (type(places) is not int or abs(places) > PLACES_LIMIT):
        raise NoValue("the second value of round(...) must be a small whole number")
    try:
        return round(value) if places is None else round(value, places)
    except (ValueError, OverflowError):
        raise NoValue(f"round(...) of {value!r} is no number") from None


# How many values a function may get, and what it does with them.
CALLS: dict[str, tuple[range, Callable[..., Any]]] = {
    "int": (range(1, 2), _int),
    "round": (range(1, 3), _round),
    "min": (range(1, 1_000), min),
    "max": (range(1, 1_000), max),
    "abs": (range(1, 2), abs),
}


def called(word: str, parts: Sequence[Run]) -> Run:
    """Return the function of a call. Raises NoValue for a wrong number of values."""
    counts, compute = CALLS[word]
    if len(parts) not in counts:
        raise NoValue(f"{word}(...) takes another number of values")
    spread = word in ("min", "max")

    def run(values: Mapping[str, Any]) -> Any:
        got = [part(values) for part in parts]
        if spread and len(got) == 1 and type(got[0]) is list:
            got = got[0]
        elif spread and len(got) == 1:
            raise NoValue(f"{word}(...) takes several numbers, or a list of them")
        if not got or any(type(value) not in _NUMBERS for value in got):
            raise NoValue(f"{word}(...) takes numbers")
        found = compute(got) if spread else compute(*got)
        check_size(found)
        return found

    return run
