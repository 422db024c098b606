"""Plain Python values: those that a notebook's parameters cell can hold and give back unchanged.

papermill writes `np.int64(3)` as the string "3" and a tuple as "(1, 2)". So values are made plain
before papermill gets them:

    np.int64(3)            3
    np.array([1.5, 2.5])   [1.5, 2.5]
    (1, 2)                 [1, 2]
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

_HALVES = re.compile("[\ud800-\udfff]")
# The end of a sentence about a name from a command line or a disk that `is_text` refuses.
NO_UTF8 = "it has bytes that are no UTF-8 (lone surrogates); give it another name"
DEPTH_LIMIT = 20  # levels of lists and dicts in each other
# Values in each other, those of a list that stands at several places counted at each of them.
PARTS_LIMIT = 1_000_000
INTEGER_DIGITS = 4_000  # Python refuses to print numbers with more than 4,300
INTEGER_BITS = int(INTEGER_DIGITS * math.log2(10))


class NotPlain(ValueError):
    """The value has no plain form; the text says why and what to use instead."""


class Budget:
    """How many more parts several values may have together."""

    def __init__(self, parts: int = PARTS_LIMIT) -> None:
        self.parts = parts

    def take(self) -> None:
        """Count one part. Raises NotPlain if it is one too many."""
        self.parts -= 1
        if self.parts < 0:
            raise NotPlain(f"there are more than {PARTS_LIMIT:,} parts; put them into a file.")


def plain(value: Any, budget: Budget | None = None) -> Any:
    """Return `value` as bool, int, float, str, None, or a list or dict of them.

    NumPy scalars and arrays become numbers and lists, tuples become lists. Raises NotPlain for
    anything else, and for what is too large to be written. Values with one budget count together.
    """
    return _plain(value, 0, budget or Budget())


def _plain(value: Any, depth: int, budget: Budget) -> Any:
    """Return a value that lies `depth` levels deep."""
    if depth > DEPTH_LIMIT:
        raise NotPlain(f"the value is nested more than {DEPTH_LIMIT} levels deep.")
    budget.take()
    if value is None or type(value) in (bool, float):
        return value
    if type(value) is int:
        return _integer(value)
    if type(value) is str:
        return _text(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth + 1, budget) for item in value]
    if isinstance(value, dict):
        return {_key(key): _plain(item, depth + 1, budget) for key, item in value.items()}
    # NumPy scalars and arrays have this method. NumPy itself need not be installed here.
    if callable(getattr(value, "tolist", None)):
        return _plain(value.tolist(), depth + 1, budget)
    # Subclasses, for example members of an enum, which papermill would write by their name.
    if isinstance(value, str):
        return _text(str.__str__(value))
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return _integer(kind(value)) if kind is int else kind(value)
    raise NotPlain(
        f"a {type(value).__name__} cannot be a parameter;"
        " use numbers, strings, True/False, None, lists or dicts."
    )


def _integer(value: int) -> int:
    """Return a number. Raises NotPlain if it has more digits than Python prints."""
    if value.bit_length() > INTEGER_BITS:
        raise NotPlain(f"a number has more than {INTEGER_DIGITS:,} digits.")
    return value


def _key(key: Any) -> str:
    """Return a key of a dict. Raises NotPlain if it is no string, since JSON has no other keys."""
    if not isinstance(key, str):
        raise NotPlain(f"a dict key is of the type {type(key).__name__}, not a string.")
    return _text(str(key))


def is_text(value: str) -> bool:
    """Return whether a text can be written as UTF-8: half a surrogate pair cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def whole_texts(value: Any) -> Any:
    """Return a JSON value in which half of a surrogate pair is the replacement character U+FFFD.

    A record of somebody else may hold such halves, and neither a kernel nor a terminal can send
    them. Raises RecursionError for a value that is nested too deeply.
    """
    text = json.dumps(value, ensure_ascii=False)
    if is_text(text):
        return value
    return json.loads(_HALVES.sub("\ufffd", text))


def _text(value: str) -> str:
    """Return a text. Raises NotPlain if no file could hold it."""
    if not is_text(value):
        raise NotPlain(
            f"the text {value[:40]!r} has half of a character (a lone surrogate);"
            " no notebook can hold it."
        )
    return value
