"""The plainest channel: the metrics file of a job on a file system that both sides see."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from jupyter_gridgpu.model.metrics import Reading, clean_step, clean_usage, clean_values
from jupyter_gridgpu.model.numbers import decode
from jupyter_gridgpu.store.paths import JobPaths
from jupyter_gridgpu.store.tail import read_lines


@dataclass(frozen=True)
class Place:
    """How far a metrics file is read."""

    path: Path
    offset: int


class FileChannel:
    """Tails metrics.jsonl of the job's newest copy. The file is untrusted: what is not a sound reading is dropped."""

    def read(self, job: JobPaths, cursor: Place | None) -> tuple[list[Reading], Place | None]:
        if cursor is None:
            copies = job.copies()
            if not copies:
                return [], None
            cursor = Place(copies[-1].metrics, 0)
        lines, offset = read_lines(cursor.path, cursor.offset)
        readings = [reading for line in lines if (reading := parse(line)) is not None]
        return readings, Place(cursor.path, offset)


def parse(line: bytes) -> Reading | None:
    """Return the reading of one line, or None for anything unsound."""
    try:
        body = json.loads(line)
        time, values, usage = decode(body["t"]), clean_values(body.get("m", {})), clean_usage(body.get("beat"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if "m" not in body and not usage:
        return None
    return Reading(time or 0.0, clean_step(body.get("s")), clean_step(body.get("of")), values, usage)
