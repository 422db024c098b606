"""Reads the metrics file of a copy, as a worker writes it; all channels bring such a file.

The file is untrusted, since the job's code could write to it: lines that are no sound reading are
dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jupyter_gridgpu.model.fields import is_time
from jupyter_gridgpu.model.metrics import Reading, clean_step, clean_usage, clean_values
from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.paths import CopyPaths
from jupyter_gridgpu.store.tail import read_lines


def read_readings(copy: CopyPaths, cursor: int | None) -> tuple[list[Reading], int]:
    """Return the readings after byte `cursor`, and the byte behind them.

    One call reads a bounded number of bytes. If the file cannot be read now, no reading is
    returned.
    """
    start = cursor or 0
    # A network disk may not answer now, and a job may have made a folder where its file was.
    try:
        lines, end = read_lines(copy.metrics, start)
    except OSError:
        return [], start
    readings = []
    for line in lines:
        reading = parse_reading(line)
        if reading is not None:
            readings.append(reading)
    return readings, end


def parse_reading(line: bytes, decode: Callable[[bytes], Any] = parse_json) -> Reading | None:
    """Return the reading of one line, or None for anything unsound.

    A faster decoder of JSON may be given as `decode`.
    """
    try:
        body = decode(line)
        has_time = is_time(body["t"])
        time = body["t"] if has_time else 0.0
        values = clean_values(body.get("m", {}))
        # What a job used is drawn over time, and so says nothing without a time.
        usage = clean_usage(body.get("beat")) if has_time else {}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    # A line has metrics ("m") or is a heartbeat; a heartbeat without a known value says nothing.
    if "m" not in body and not usage:
        return None
    return Reading(time, clean_step(body.get("s")), clean_step(body.get("of")), values, usage)
