"""How a collector keeps what it took of a scan, and gives it to the runner: one file, only ever appended to.

D JOB COPY OFFSET TIME SIZE     then SIZE bytes of the job's metrics file from OFFSET on; TIME of the newest reading
J SIZE                          then the keys of jobs that exist, blank between them
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

HEAD_LIMIT = 128
_DATA = re.compile(
    rb"D (v\d{4,7}\.\d{1,4}) ([a-z0-9]{1,32}) (\d{1,12}) (\d{1,12}(?:\.\d{1,3})?) (\d{1,8})"
)
_JOBS = re.compile(rb"J (\d{1,8})")


@dataclass(frozen=True)
class Frame:
    """One entry; of announced jobs, `job` is empty."""

    size: int
    job: str = ""
    copy: str = ""
    offset: int = 0
    time: float = 0.0

    def head(self) -> bytes:
        if not self.job:
            return f"J {self.size}\n".encode()
        return f"D {self.job} {self.copy} {self.offset} {self.time:.3f} {self.size}\n".encode()


def parse_head(line: bytes) -> Frame | None:
    """Return what a head line says, or None if it is none."""
    if found := _DATA.fullmatch(line):
        job, copy, offset, time, size = (word.decode() for word in found.groups())
        return Frame(int(size), job, copy, int(offset), float(time))
    found = _JOBS.fullmatch(line)
    return Frame(int(found[1])) if found else None


def frames(data: bytes) -> Iterator[tuple[Frame, bytes, int]]:
    """Yield the whole frames at the beginning of `data`: head, body, where it ends. Raises ValueError for what is none."""
    at = 0
    while (end := data.find(b"\n", at, at + HEAD_LIMIT)) >= 0:
        frame = parse_head(data[at:end])
        if frame is None:
            raise ValueError("no frame")
        if len(data) < end + 1 + frame.size:
            return
        at = end + 1 + frame.size
        yield frame, data[end + 1 : at], at
    if len(data) - at >= HEAD_LIMIT:
        raise ValueError("no frame")
