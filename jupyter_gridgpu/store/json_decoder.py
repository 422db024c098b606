"""Decoders of JSON that anybody may have written: what is wrong with it is always a ValueError."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

LIMIT = 128 * 1024 * 1024  # bytes; more than any text of ours has
LONG = 1024 * 1024  # bytes; the import of msgspec (0.03 s) pays for itself from here on
DIGITS = 4300  # of an integer; Python's own limit where it has one


def parse_json(text: str | bytes, limit: int = LIMIT) -> Any:
    """Return what a text of JSON says.

    Raises ValueError if the text is longer than `limit`, is no JSON or no UTF-8, is nested deeply,
    or has an integer of thousands of digits.
    """
    if len(text) > limit:
        raise ValueError(f"it is longer than {limit:,} bytes")
    try:
        return _loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def decoder(size: int) -> Callable[[bytes], Any]:
    """Return a function that decodes JSON as `parse_json` does; `size` bytes come in all.

    It takes a fifth of the time of Python's own module where there are many megabytes.
    """
    # Workers decode a few short files only, and their image may have no msgspec.
    if size < LONG:
        return _parse_long
    import msgspec

    fast_decode = msgspec.json.decode

    def decode(data: bytes) -> Any:
        try:
            return fast_decode(data)
        except (msgspec.MsgspecError, RecursionError):
            # Python writes and reads what msgspec refuses: NaN, half a surrogate pair. The second
            # decoder decides whether the text is JSON.
            return _parse_long(data)

    return decode


def _parse_long(data: bytes) -> Any:
    """Return what a text of JSON says; whoever read it has bounded it. Raises ValueError."""
    return parse_json(data, sys.maxsize)


def _integer(text: str) -> int:
    """Return an integer. Raises ValueError if it has too many digits."""
    if len(text) > DIGITS:
        raise ValueError(f"an integer has more than {DIGITS:,} digits")
    return int(text)


def _loads_bounded(text: str | bytes) -> Any:
    return json.loads(text, parse_int=_integer)


# An old Python takes seconds for an integer of 100,000 digits; a newer one refuses it.
_loads = json.loads if hasattr(sys, "get_int_max_str_digits") else _loads_bounded
