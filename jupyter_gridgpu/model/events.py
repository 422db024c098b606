"""Events: the lines of a scan's journal, the only record of what happened."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from jupyter_gridgpu.model import numbers

RUNNER_STARTED = "runner.started"
VARIANT_PROPOSED = "variant.proposed"
JOB_INTENDED = "job.intended"
JOB_SUBMITTED = "job.submitted"
JOB_OBSERVED = "job.observed"
JOB_REPORTED = "job.reported"
BACKEND_NOTED = "engine.noted"
COMMAND_APPLIED = "command.applied"
SCAN_FINISHED = "scan.finished"


class Event(NamedTuple):
    seq: int
    term: int  # of the lease under which it was written
    time: float  # seconds since the epoch
    type: str
    data: dict[str, Any]

    def line(self) -> str:
        """The event as one line of strict JSON."""
        head = {"seq": self.seq, "term": self.term, "t": round(self.time, 3), "type": self.type}
        return json.dumps({**head, **numbers.strict(self.data)}, separators=(",", ":"))


def parse_line(line: bytes, decode: Callable[[bytes], Any] = json.loads) -> Event | None:
    """Return the event of one journal line, or None if the line is torn or foreign."""
    try:
        body = decode(line)
        return Event(
            int(body.pop("seq")),
            int(body.pop("term")),
            float(body.pop("t")),
            str(body.pop("type")),
            body,
        )
    except (ValueError, ArithmeticError, KeyError, TypeError, AttributeError, RecursionError):
        return None
