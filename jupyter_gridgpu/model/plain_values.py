"""Plain Python values: what can be written into a notebook's parameters cell and read back the same.

papermill writes `np.int64(3)` as the string "3" and a tuple as "(1, 2)", so values are made plain before they reach it.
"""

from __future__ import annotations

from typing import Any

DEPTH_LIMIT = 20


class NotPlain(ValueError):
    """The value has no plain form."""


def plain(value: Any, depth: int = 0) -> Any:
    """Return `value` as bool, int, float, str, None, or a list or dict of them.

    NumPy scalars and arrays become numbers and lists, tuples become lists. Raises NotPlain for anything else.
    """
    if depth > DEPTH_LIMIT:
        raise NotPlain(f"the value is nested more than {DEPTH_LIMIT} levels deep.")
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, (list, tuple)):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {_key(key): plain(item, depth + 1) for key, item in value.items()}
    if callable(
        getattr(value, "tolist", None)
    ):  # NumPy scalars and arrays, without importing NumPy
        return plain(value.tolist(), depth + 1)
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return str.__str__(value) if kind is str else kind(value)
    raise NotPlain(
        f"a {type(value).__name__} cannot be a parameter; use numbers, strings, True/False, None, lists or dicts."
    )


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise NotPlain(f"the dict key {key!r} is not a string.")
    return str(key)
