"""The options of a scan as Python gives them: paths and scans become texts, one text a tuple."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_origin

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.planning.declaration import Options

VALUE_SHOWN = 60  # characters of a wrong value in an error text
# These have checks and sentences of their own.
_CHECKED_LATER = ("env", "maximize", "minimize", "points", "secret", "setup")


def checked(function: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with their texts. Raises UsageError for an unknown one, or no text."""
    declared = {item.name: item.type for item in dataclasses.fields(Options)}
    for name in options:
        if name not in declared:
            raise UsageError(f"{function}() has no option {name!r}; it has {', '.join(declared)}.")
    return {name: _texts(name, value, declared[name]) for name, value in options.items()}


def _texts(name: str, value: Any, kind: object) -> Any:
    """Return a value whose texts are texts, for an option that is declared with this type."""
    if name == "points" and isinstance(value, Path):
        return str(value)
    if name in _CHECKED_LATER:
        return value
    if get_origin(kind) is tuple:
        return () if value is None else tuple(_text(name, item) for item in _items(value))
    if kind in (str, str | None) and value is not None:
        return _text(name, value)
    return value


def _items(given: Any) -> Iterable[Any]:
    """Return several values. One text is one value, not as many as it has characters."""
    is_one = isinstance(given, (str, bytes)) or not isinstance(given, Iterable)
    return (given,) if is_one else given


def _text(name: str, given: object) -> str:
    """Return a text, or that of a path or of a scan's folder. Raises UsageError."""
    folder = getattr(given, "folder", None)
    text = folder if isinstance(folder, Path) else given
    if not isinstance(text, (str, Path)):
        raise UsageError(f"{name} has {one_line(repr(given), VALUE_SHOWN)}: give a text there.")
    return str(text)
