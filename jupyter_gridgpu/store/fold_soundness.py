"""Whether a cached fold holds what a fold can hold.

A cache is only a file: a bad disk, or whoever packed the scan, may have changed it. What is not
sound is not used, and the journal is folded instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.fields import is_bounded, is_inner_path, is_time
from jupyter_gridgpu.model.job import STATES, is_job_key
from jupyter_gridgpu.model.metrics import TRAIL_LIMIT
from jupyter_gridgpu.model.soundness import LARGEST, is_index
from jupyter_gridgpu.model.space import is_parameter_name

_NUMBERS = (int, float)
_SCALARS = (str, int, float, bool, type(None))


def _is_text(value: Any) -> bool:
    return value is None or type(value) is str


def _is_truth(value: Any) -> bool:
    return type(value) is bool


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= numbers.LARGEST_INT


def _is_number(value: Any) -> bool:
    """Return whether a value is a finite number."""
    return type(value) in _NUMBERS and -LARGEST <= value <= LARGEST


def _maybe(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


def _are_params(value: Any) -> bool:
    return isinstance(value, dict) and all(map(is_parameter_name, value)) and is_bounded(value)


def _is_usage(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_number, value.values()))


def _are_pairs(value: Any) -> bool:
    """Return whether a value is a list of pairs of texts."""
    if not isinstance(value, list):
        return False
    return all(isinstance(pair, list) and [*map(type, pair)] == [str, str] for pair in value)


def _is_past(value: Any) -> bool:
    """Return whether a value is the list of earlier attempts."""
    if not isinstance(value, list):
        return False
    return all(isinstance(attempt, dict) and _is_attempt(attempt) for attempt in value)


def _is_attempt(attempt: Mapping[str, Any]) -> bool:
    for name, value in attempt.items():
        if type(value) not in _SCALARS or (type(value) in _NUMBERS and not _is_number(value)):
            return False
        if name in ("submitted", "started", "ended") and not (value is None or is_time(value)):
            return False
    return _is_count(attempt.get("attempt")) and attempt.get("state") in STATES


VARIANT: dict[str, Callable[[Any], bool]] = {
    "id": lambda value: is_job_key(f"{value}.1"),
    **dict.fromkeys(("point", "repeat", "number"), is_index),
    "params": _are_params,
    "attrs": lambda value: isinstance(value, dict) and is_bounded(value),
    "state": lambda value: type(value) is str and value in STATES,
    **dict.fromkeys(("attempts", "preempted", "preempted_in_row", "rev"), _is_count),
    **dict.fromkeys(("backend_id", "reason", "message", "where", "gpu", "node", "link"), _is_text),
    **dict.fromkeys(("submitted", "stop_asked", "retry_asked", "taken_back"), _is_truth),
    **dict.fromkeys(("cell", "step", "steps"), _maybe(_is_count)),
    **dict.fromkeys(("started", "ended", "queued", "reported"), _maybe(is_time)),
    "notebook": lambda value: value is None or (type(value) is str and is_inner_path(value)),
    "peak_mb": _maybe(_is_number),
    "usage": _is_usage,
    "gpu_s": _is_number,
    "past": _is_past,
}
VIEW: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("rev", "term", "seq", "unreadable", "extra_trials", "points"), _is_count),
    "jumped_from": _maybe(_is_count),
    **dict.fromkeys(("stopped", "paused", "finished"), _is_truth),
    **dict.fromkeys(("stopped_by", "rule", "backend_note"), _is_text),
    **dict.fromkeys(("started", "ended"), _maybe(is_time)),
    **dict.fromkeys(("slept_s", "clock_set_s"), _is_number),
    "images": _are_pairs,
    # They are applied again, which tells whether they can be.
    "extensions": lambda value: isinstance(value, list) and is_bounded(value),
}


def are_sound(fields: Mapping[str, Any], checks: Mapping[str, Callable[[Any], bool]]) -> bool:
    """Return whether each field is known and holds what it can hold."""
    # A field that nobody checks raises a KeyError, which is a cache that is not sound.
    return all(checks[name](value) for name, value in fields.items())


def is_series(parts: Sequence[Any]) -> bool:
    """Return whether a list holds the fields of a Series, in their order."""
    count, low, high, last, trail, seen, stride = parts
    return (
        _is_count(count)
        and (low is None or type(low) in _NUMBERS)
        and (high is None or type(high) in _NUMBERS)
        and type(last) in _NUMBERS
        and isinstance(trail, list)
        and len(trail) <= TRAIL_LIMIT
        and {float, int}.issuperset(map(type, trail))
        and _is_count(seen)
        and _is_count(stride)
        and stride > 0
    )
