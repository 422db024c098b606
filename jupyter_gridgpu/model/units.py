"""Times and sizes as people write and read them."""

from __future__ import annotations

import re

from jupyter_gridgpu.errors import UsageError

_SECONDS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_MEGABYTES = {"mb": 1.0, "m": 1.0, "gb": 1024.0, "g": 1024.0, "tb": 1024.0**2, "kb": 1 / 1024}
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_YEAR = 366 * _DAY


def parse_duration(text: str | int | float) -> int:
    """Return the seconds of `90`, `90s`, `30min`, `2h`, `1h30m` or `1:30:00`. Raises UsageError."""
    seconds = _seconds(str(text).strip().lower())
    if seconds is None:
        raise UsageError(f"{text!r} is no length of time; write 90s, 30min, 2h or 1:30:00.")
    if not 1 <= seconds <= _YEAR:
        raise UsageError(
            f"{text!r} is no usable length of time; give between one second and a year."
        )
    return int(seconds)


def _seconds(text: str) -> float | None:
    """Return the seconds that a text in small letters stands for, or None if it is no time."""
    clock = re.fullmatch(r"(\d+):(\d{1,2}):(\d{1,2})", text)
    if clock:
        hours, minutes, seconds = map(int, clock.groups())
        return float(hours * _HOUR + minutes * _MINUTE + seconds)
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if re.fullmatch(r"(\d+(\.\d+)?\s*(s|sec|m|min|h|d)\s*)+", text):
        parts = re.findall(r"(\d+(?:\.\d+)?)\s*([a-z]+)", text)
        return sum(float(number) * _SECONDS[unit] for number, unit in parts)
    return None


def parse_memory(text: str | int | float) -> int:
    """Return the MB (2**20 bytes) of `4000`, `500MB` or `4GB`. Raises UsageError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?b?)", str(text).strip().lower())
    unit = (found and found[2]) or "mb"
    # The pattern also lets a lone `b`, `k` or `t` through, which are no units here.
    if found is None or unit not in _MEGABYTES:
        raise UsageError(f"{text!r} is no amount of memory; write 500MB or 4GB.")
    megabytes = float(found[1]) * _MEGABYTES[unit]
    if megabytes < 1:
        raise UsageError(f"{text!r} is less than one MB of memory; write 500MB or 4GB.")
    if megabytes > 1024**3:
        raise UsageError(f"{text!r} is more memory than there is; write 500MB or 4GB.")
    return int(megabytes)


def duration_text(seconds: float) -> str:
    """Return a time as `40 s`, `4 min 05 s`, `24 min`, `1 h 04 min` or `2 d 3 h`."""
    whole = max(int(seconds), 0)
    if whole < _MINUTE:
        return f"{whole} s"
    # Seconds matter only in short times.
    if whole < 10 * _MINUTE:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def number_text(value: object, digits: int = 3) -> str:
    """Return a float with `digits` significant digits; any other value as its text.

    Integers are shown whole. Floats without a finite value are `NaN`, `Infinity` or `-Infinity`.
    """
    if not isinstance(value, float):
        return str(value)
    # Only NaN differs from itself.
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"
    if not 1e-4 <= abs(value) < 1e6:
        return f"{value:.{digits - 1}e}"
    # The sign # keeps zeros at the end (0.500), so that columns of numbers are even.
    text = f"{value:#.{digits}g}"
    # With more digits before the point than `digits`, the text is like 1.23e+04.
    if "e" in text:
        text = f"{value:.0f}"
    return text.rstrip(".")


def count_text(number: int, what: str) -> str:
    """Return a number with the word for what it counts: `1 point`, `2 points`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def parameter_text(value: object) -> str:
    """Return the value of a parameter as a table shows it."""
    return number_text(value)


def exact_memory(megabytes: int | None) -> str | None:
    """Return `40GB`, or `15109MB` where that is more exact."""
    if megabytes is None:
        return None
    if megabytes % 1024:
        return f"{megabytes}MB"
    return f"{megabytes // 1024}GB"


def exact_duration(seconds: int | None) -> str | None:
    """Return `2h`, `90min` or `100s`, in the largest unit that is exact."""
    if seconds is None:
        return None
    if seconds % 60:
        return f"{seconds}s"
    if seconds % 3600:
        return f"{seconds // 60}min"
    return f"{seconds // 3600}h"
