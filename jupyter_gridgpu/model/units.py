"""Times and sizes as people write and read them."""

from __future__ import annotations

import re

from jupyter_gridgpu.errors import UsageError

_SECONDS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_MEGABYTES = {"mb": 1.0, "m": 1.0, "gb": 1024.0, "g": 1024.0, "tb": 1024.0**2, "kb": 1 / 1024}


def parse_duration(text: str | int | float) -> int:
    """Return seconds of `90`, `90s`, `30min`, `2h`, `1h30m` or `1:30:00`. Raises UsageError."""
    words = str(text).strip().lower()
    if found := re.fullmatch(r"(\d+):(\d{1,2}):(\d{1,2})", words):
        seconds = float(int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3]))
    elif re.fullmatch(r"\d+(\.\d+)?", words):
        seconds = float(words)
    elif re.fullmatch(r"(\d+(\.\d+)?\s*(s|sec|m|min|h|d)\s*)+", words):
        seconds = sum(
            float(n) * _SECONDS[unit]
            for n, _, unit in re.findall(r"(\d+(\.\d+)?)\s*([a-z]+)", words)
        )
    else:
        raise UsageError(f"{text!r} is no length of time; write 90s, 30min, 2h or 1:30:00.")
    if not 1 <= seconds <= 366 * 86400:
        raise UsageError(
            f"{text!r} is no usable length of time; give between one second and a year."
        )
    return int(seconds)


def parse_memory(text: str | int | float) -> int:
    """Return MB (2**20 bytes) of `4000`, `500MB` or `4GB`. Raises UsageError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?b?)", str(text).strip().lower())
    unit = found[2] if found else None
    if found is None or (unit and unit not in _MEGABYTES):
        raise UsageError(f"{text!r} is no amount of memory; write 500MB or 4GB.")
    megabytes = float(found[1]) * _MEGABYTES[unit or "mb"]
    if megabytes < 1:
        raise UsageError(f"{text!r} is less than one MB of memory; write 500MB or 4GB.")
    if megabytes > 1024**3:
        raise UsageError(f"{text!r} is more memory than there is; write 500MB or 4GB.")
    return int(megabytes)


def duration(seconds: float) -> str:
    """Return `40 s`, `24 min`, `1 h 04 min` or `2 d 3 h`."""
    whole = max(int(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" if whole >= 600 else f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def number(value: object, digits: int = 3) -> str:
    """Return a number with `digits` significant digits, integers whole, `NaN` as a word; other values as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int):
        return str(value)
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"
    if 1e-4 <= abs(value) < 1e6:
        text = f"{value:#.{digits}g}"
        return (f"{value:.0f}" if "e" in text else text).rstrip(".")
    return f"{value:.{digits - 1}e}"


def shown(value: object) -> str:
    """Return a parameter's value as a table shows it."""
    return number(value) if isinstance(value, float) else str(value)
