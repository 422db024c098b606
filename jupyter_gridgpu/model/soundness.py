"""Whether an event has the keys and the types that the fold relies on.

A journal without checksums may hold any JSON: a line that was changed by hand or by a bad disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jupyter_gridgpu.model import events, numbers
from jupyter_gridgpu.model.fields import LATEST, is_bounded, is_inner_path
from jupyter_gridgpu.model.job import STATES, is_job_key
from jupyter_gridgpu.model.space import is_parameter_name

POINT_LIMIT = 10**7  # an id has at most seven digits
_NUMBER = (int, float)
_OPTIONAL: dict[str, tuple[type, ...]] = {
    "reason": (str,), "message": (str,), "where": (str,), "gpu": (str,), "node": (str,),
    "link": (str,), "notebook": (str,), "engine_id": (str,), "cell": (int,), "started": _NUMBER,
    "ended": _NUMBER, "peak_mb": _NUMBER, "gpu_s": _NUMBER, "at": _NUMBER, "step": (int,),
    "steps": (int,), "whole": (bool,), "attrs": (dict,), "usage": (dict,), "by": (str,),
    "trials": (int,), "variants": (list,),
}  # fmt: skip
_TIMES = frozenset({"started", "ended", "at"})
_AMOUNTS = frozenset({"cell", "step", "steps", "peak_mb", "gpu_s", "trials"})
LARGEST = 1e300  # of a number that is not infinite
_LARGEST_INT = numbers.LARGEST_INT
_METRIC_PARTS = 4  # n, min, max, new values
_NO_USAGE: dict[str, float] = {}
_SELDOM_REPORTED = ("at", "whole", "notebook")


def is_sound(type_: str, data: Mapping[str, Any]) -> bool:
    """Return whether the fold can take an event of this type with these keys."""
    if type_ == events.JOB_REPORTED:
        # Nearly all events are of this type, so its check looks at the few keys that it has.
        return _reported(data)
    for name, value in data.items():
        if value is not None and name in _OPTIONAL and not _fits(name, value):
            return False
    check = _CHECKS.get(type_)
    return check is None or check(data)


def _fits(name: str, value: Any) -> bool:
    """Return whether a value has the type of its key, and is within bounds."""
    # type(), since True is an int for isinstance.
    if type(value) not in _OPTIONAL[name]:
        return False
    if name in _TIMES:
        return bool(0 <= value <= LATEST)
    if name in _AMOUNTS:
        return bool(0 <= value <= numbers.LARGEST_INT)
    return name != "notebook" or is_inner_path(value)


def _proposed(data: Mapping[str, Any]) -> bool:
    point, repeat = data.get("point"), data.get("repeat")
    params = data.get("params")
    return (
        is_job_key(f"{data.get('variant')}.1")
        and is_index(point)
        and is_index(repeat)
        and isinstance(params, dict)
        and all(map(is_parameter_name, params))
        and data.get("attrs", {}) is not None
        and is_bounded(params)
        and is_bounded(data.get("attrs", {}))
    )


def is_index(value: object) -> bool:
    """Return whether a value can be the number of a point, a repeat or a variant."""
    return type(value) is int and 0 <= value < POINT_LIMIT


def _of_job(data: Mapping[str, Any]) -> bool:
    return is_job_key(data.get("key"))


def _observed(data: Mapping[str, Any]) -> bool:
    state = data.get("state")
    return _of_job(data) and isinstance(state, str) and state in STATES


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
        # Only a number that is finite lies between these.
        if type(value) not in _NUMBER or not -LARGEST <= value <= LARGEST:
            return False
    step, steps = data.get("step"), data.get("steps")
    if step is not None and (type(step) is not int or not 0 <= step <= _LARGEST_INT):
        return False
    if steps is not None and (type(steps) is not int or not 0 <= steps <= _LARGEST_INT):
        return False
    for name in _SELDOM_REPORTED:
        value = data.get(name)
        if value is not None and not _fits(name, value):
            return False
    return True


def _command(data: Mapping[str, Any]) -> bool:
    variants = data.get("variants")
    trials = data.get("trials")
    # What they hold is looked at where it is applied to the space.
    lists = (data.get("add"), data.get("points"))
    return (
        isinstance(data.get("id"), str)
        and isinstance(data.get("action"), str)
        and (variants is None or all(isinstance(ident, str) for ident in variants))
        and (trials is None or trials < POINT_LIMIT)
        and all(item is None or (type(item) is list and is_bounded(item)) for item in lists)
    )


def _slept(data: Mapping[str, Any]) -> bool:
    slept_s = data.get("s")
    return isinstance(slept_s, _NUMBER) and 0 <= slept_s < numbers.LARGEST_INT


def _clock_set(data: Mapping[str, Any]) -> bool:
    by_s = data.get("by_s")
    return isinstance(by_s, _NUMBER) and abs(by_s) < numbers.LARGEST_INT


def _noted(data: Mapping[str, Any]) -> bool:
    return isinstance(data.get("message"), (str, type(None)))


def _rule(data: Mapping[str, Any]) -> bool:
    return isinstance(data.get("why"), str)


_CHECKS: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    events.VARIANT_PROPOSED: _proposed,
    events.JOB_INTENDED: _of_job,
    events.JOB_SUBMITTED: _of_job,
    events.JOB_OBSERVED: _observed,
    events.BACKEND_NOTED: _noted,
    events.COMMAND_APPLIED: _command,
    events.MACHINE_SLEPT: _slept,
    events.CLOCK_SET: _clock_set,
    events.RULE_MET: _rule,
}
