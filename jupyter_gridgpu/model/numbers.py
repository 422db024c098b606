"""Numbers as they travel in JSON: finite ones as they are, the others as the words NaN, Infinity and -Infinity.

Strict JSON (RFC 8259) knows no NaN, and a browser's parser refuses it, so the words go over the wire.
"""

from __future__ import annotations

import math
from typing import Any, Literal, Union

Num = Union[float, Literal["NaN", "Infinity", "-Infinity"]]
WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
MARK = "'"
LARGEST_INT = 2**53  # beyond it JavaScript rounds


def encode(value: float) -> Num:
    """Return `value` as strict JSON can carry it."""
    if isinstance(value, int):
        return value if abs(value) <= LARGEST_INT else encode(to_float(value))
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def decode(value: Any) -> float | None:
    """Return the number that `encode` wrote, or None for anything else."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int):
        return value if abs(value) <= LARGEST_INT else to_float(value)
    if isinstance(value, float):
        return value
    return WORDS.get(value) if isinstance(value, str) else None


def to_float(value: float) -> float:
    """Return a number as a float; an integer past its range as an infinity."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def shown(value: float) -> float:
    """Return a number to the five digits that a small picture can show; it travels in half the bytes."""
    return float(f"{value:.5g}") if isinstance(value, float) else value


def strict(value: Any, mark: str = MARK) -> Any:
    """Return a JSON value in which every float is finite or a word.

    A text that is such a word itself gets a mark, so that `loose` leaves it a text; faces, which nobody reads back,
    ask for none.
    """
    if isinstance(value, float):
        return encode(value)
    if isinstance(value, str) and value.lstrip(MARK) in WORDS:
        return mark + value
    if isinstance(value, dict):
        return {str(key): strict(item, mark) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict(item, mark) for item in value]
    return value


def loose(value: Any) -> Any:
    """Undo `strict`: words become the floats they stand for."""
    if isinstance(value, str):
        return (
            value[1:]
            if value.startswith(MARK) and value.lstrip(MARK) in WORDS
            else WORDS.get(value, value)
        )
    if isinstance(value, dict):
        return {key: loose(item) for key, item in value.items()}
    if isinstance(value, list):
        return [loose(item) for item in value]
    return value
