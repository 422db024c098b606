"""Numbers in JSON: finite ones as they are, the others as the words NaN, Infinity and -Infinity.

Strict JSON (RFC 8259) knows no NaN, and the parser of a browser refuses it. So files and messages
have words in place of such numbers.
"""

from __future__ import annotations

import math
from typing import Any, Literal, Union

Num = Union[float, Literal["NaN", "Infinity", "-Infinity"]]
NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
QUOTE = "'"  # stands before a text of the user that is such a word
LARGEST_INT = 2**53  # beyond it JavaScript rounds


def encode(value: float) -> Num:
    """Return `value` as strict JSON can carry it."""
    if isinstance(value, int):
        if abs(value) <= LARGEST_INT:
            return value
        # As a float, it is rounded here and in the browser in the same way.
        value = to_float(value)
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def decode(value: Any) -> float | None:
    """Return the number that `encode` wrote, or None for anything else."""
    # isinstance takes a bool for an int, so bools come first: True counts as 1.0.
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int):
        return value if abs(value) <= LARGEST_INT else to_float(value)
    if isinstance(value, float):
        return value
    if isinstance(value, str):
        return NOT_FINITE.get(value)
    return None


def to_float(value: float) -> float:
    """Return a number as a float; an integer that is too large for a float becomes an infinity."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def rounded(value: float) -> float:
    """Return a number rounded to five digits, as many as a sparkline can show.

    The rounded number takes half the bytes of the exact one.
    """
    if isinstance(value, int):
        return value
    return float(f"{value:.5g}")


def encode_all(value: Any, mark: str = QUOTE) -> Any:
    """Return a JSON value in which every float is finite or a word.

    A text that is itself such a word gets `mark` before it, so that `decode_all` returns it as a
    text. Callers whose JSON is only shown, and never read back, pass an empty mark.
    """
    if isinstance(value, float):
        return encode(value)
    # A text that has the mark already gets one more, else `decode_all` would take away its own.
    if isinstance(value, str) and value.lstrip(QUOTE) in NOT_FINITE:
        return mark + value
    if isinstance(value, dict):
        return {str(key): encode_all(item, mark) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode_all(item, mark) for item in value]
    return value


def decode_all(value: Any) -> Any:
    """Undo `encode_all`: words become the floats that they stand for, and marks are removed."""
    if isinstance(value, str):
        if value.startswith(QUOTE) and value.lstrip(QUOTE) in NOT_FINITE:
            return value[1:]
        return NOT_FINITE.get(value, value)
    if isinstance(value, dict):
        return {key: decode_all(item) for key, item in value.items()}
    if isinstance(value, list):
        return [decode_all(item) for item in value]
    return value
