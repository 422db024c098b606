"""Whether an event has the keys and the types that the fold relies on.

A journal without checksums may hold any JSON: a line that was changed by hand or by a bad disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jupyter_gridgpu.model import events, numbers
from jupyter_gridgpu.model.job import STATES, is_job_key
from jupyter_gridgpu.model.space import is_parameter_name

DEPTH_LIMIT = 50  # levels of a parameter; a user's values have a few
POINT_LIMIT = 10**7  # an id has at most seven digits
_NUMBER = (int, float)
_OPTIONAL: dict[str, tuple[type, ...]] = {
    "reason": (str,), "message": (str,), "where": (str,), "gpu": (str,), "node": (str,),
    "link": (str,), "notebook": (str,), "engine_id": (str,), "cell": (int,), "started": _NUMBER,
    "ended": _NUMBER, "peak_mb": _NUMBER, "gpu_s": _NUMBER, "at": _NUMBER, "step": (int,),
    "steps": (int,), "whole": (bool,), "attrs": (dict,), "usage": (dict,), "by": (str,),
    "trials": (int,), "variants": (list,),
}  # fmt: skip
_METRIC_PARTS = 4  # n, min, max, new values
_NO_USAGE: dict[str, float] = {}
_MAY_BE_REPORTED = ("step", "steps", "at", "whole", "notebook")


def is_sound(type_: str, data: Mapping[str, Any]) -> bool:
    """Return whether the fold can take an event of this type with these keys."""
    if type_ == events.JOB_REPORTED:
        # Nearly all events are of this type, so its check looks at the few keys that it has.
        return _reported(data)
    for name, value in data.items():
        expected = _OPTIONAL.get(name)
        if value is not None and expected is not None and not isinstance(value, expected):
            return False
    check = _CHECKS.get(type_)
    return check is None or check(data)


def _proposed(data: Mapping[str, Any]) -> bool:
    point, repeat = data.get("point"), data.get("repeat")
    params = data.get("params")
    return (
        is_job_key(f"{data.get('variant')}.1")
        and _is_index(point)
        and _is_index(repeat)
        and isinstance(params, dict)
        and all(map(is_parameter_name, params))
        and data.get("attrs", {}) is not None
        and _depth(params) <= DEPTH_LIMIT
        and _depth(data.get("attrs", {})) <= DEPTH_LIMIT
    )


def _is_index(value: object) -> bool:
    return type(value) is int and 0 <= value < POINT_LIMIT


def _depth(value: object) -> int:
    """Return how deeply a value is nested, without recursion, which could be too deep."""
    depth, level = 0, [value]
    while level and depth <= DEPTH_LIMIT:
        depth += 1
        inner: list[object] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list):
                inner += item
        level = inner
    return depth


def _of_job(data: Mapping[str, Any]) -> bool:
    return is_job_key(data.get("key"))


def _observed(data: Mapping[str, Any]) -> bool:
    times = (data.get(name) for name in ("started", "ended", "peak_mb", "gpu_s"))
    return (
        _of_job(data)
        and data.get("state") in STATES
        and all(time is None or 0 <= time < numbers.LARGEST_INT for time in times)
    )


def _reported(data: Mapping[str, Any]) -> bool:
    # Loops and comparisons of types take half the time of `all` and `isinstance`.
    metrics = data.get("metrics")
    if type(metrics) is not dict or not _of_job(data):
        return False
    for report in metrics.values():
        if type(report) is not list or len(report) != _METRIC_PARTS:
            return False
        if type(report[0]) is not int or type(report[3]) is not list:
            return False
    usage = data.get("usage", _NO_USAGE)
    if type(usage) is not dict:
        return False
    for value in usage.values():
        if type(value) not in _NUMBER:
            return False
    for name in _MAY_BE_REPORTED:
        value = data.get(name)
        if value is not None and not isinstance(value, _OPTIONAL[name]):
            return False
    return True


def _command(data: Mapping[str, Any]) -> bool:
    variants = data.get("variants")
    trials = data.get("trials")
    return (
        isinstance(data.get("id"), str)
        and isinstance(data.get("action"), str)
        and (variants is None or all(isinstance(ident, str) for ident in variants))
        and (trials is None or 0 <= trials < POINT_LIMIT)
    )


def _slept(data: Mapping[str, Any]) -> bool:
    slept_s = data.get("s")
    return isinstance(slept_s, _NUMBER) and 0 <= slept_s < numbers.LARGEST_INT


def _clock_set(data: Mapping[str, Any]) -> bool:
    by_s = data.get("by_s")
    return isinstance(by_s, _NUMBER) and abs(by_s) < numbers.LARGEST_INT


def _noted(data: Mapping[str, Any]) -> bool:
    return isinstance(data.get("message"), (str, type(None)))


_CHECKS: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    events.VARIANT_PROPOSED: _proposed,
    events.JOB_INTENDED: _of_job,
    events.JOB_SUBMITTED: _of_job,
    events.JOB_OBSERVED: _observed,
    events.BACKEND_NOTED: _noted,
    events.COMMAND_APPLIED: _command,
    events.MACHINE_SLEPT: _slept,
    events.CLOCK_SET: _clock_set,
}
