"""The format of the file in which a collector keeps a scan, and which it hands to the runner.

The file is a sequence of frames and is only ever appended to. A frame is a head, one line, and a
body of SIZE bytes:

    D JOB COPY OFFSET TIME SIZE     bytes of the copy's metrics file from OFFSET on;
                                    TIME (s since 1970) is that of the newest reading
    J SIZE                          keys of jobs that exist, with blanks between them
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

HEAD_LIMIT = 128  # bytes, with the newline; the longest head that the patterns allow is shorter
_DATA = re.compile(
    rb"D (v\d{4,7}\.\d{1,4}) ([a-z0-9]{1,32}) (\d{1,12}) (\d{1,12}(?:\.\d{1,3})?) (\d{1,8})"
)
_JOBS = re.compile(rb"J (\d{1,8})")


@dataclass(frozen=True)
class Frame:
    """The head of one frame. In a frame that announces jobs, `job` is empty."""

    size: int  # bytes of the body
    job: str = ""
    copy: str = ""
    offset: int = 0  # of the body in the copy's metrics file
    time: float = 0.0

    def head(self) -> bytes:
        """Return the head as a line."""
        if not self.job:
            return f"J {self.size}\n".encode()
        return f"D {self.job} {self.copy} {self.offset} {self.time:.3f} {self.size}\n".encode()


def parse_head(line: bytes) -> Frame | None:
    """Return the head that a line (without its newline) holds, or None if it holds none."""
    if found := _DATA.fullmatch(line):
        job, copy, offset, time, size = (group.decode() for group in found.groups())
        return Frame(int(size), job, copy, int(offset), float(time))
    if found := _JOBS.fullmatch(line):
        return Frame(int(found[1]))
    return None


def whole_frames(data: bytes) -> Iterator[tuple[Frame, bytes, int]]:
    """Yield the whole frames at the beginning of `data`: head, body, and where the frame ends.

    Raises ValueError at bytes that are no frame.
    """
    start = 0
    while (newline := data.find(b"\n", start, start + HEAD_LIMIT)) >= 0:
        frame = parse_head(data[start:newline])
        if frame is None:
            raise ValueError("no frame")
        end = newline + 1 + frame.size
        # The rest of the body comes with the next answer of the collector.
        if len(data) < end:
            return
        yield frame, data[newline + 1 : end], end
        start = end
    # So many bytes without a newline cannot be the beginning of a head.
    if len(data) - start >= HEAD_LIMIT:
        raise ValueError("no frame")
