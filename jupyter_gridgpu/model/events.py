"""Events: the lines of a scan's journal, the only record of what happened."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from jupyter_gridgpu.model import numbers

RUNNER_STARTED = "runner.started"
VARIANT_PROPOSED = "variant.proposed"
JOB_INTENDED = "job.intended"
JOB_SUBMITTED = "job.submitted"
JOB_OBSERVED = "job.observed"
JOB_REPORTED = "job.reported"
ENGINE_NOTED = "engine.noted"
COMMAND_APPLIED = "command.applied"
SCAN_FINISHED = "scan.finished"
_scan: Any = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # a line is one value without space around it; json.loads looks for that, too


@dataclass(frozen=True)
class Event:
    seq: int
    term: int  # of the lease under which it was written
    time: float  # seconds since the epoch
    type: str
    data: dict[str, Any]

    def line(self) -> str:
        """The event as one line of strict JSON."""
        head = {"seq": self.seq, "term": self.term, "t": round(self.time, 3), "type": self.type}
        return json.dumps({**head, **numbers.strict(self.data)}, separators=(",", ":"))


def parse_line(line: bytes) -> Event | None:
    """Return the event of one journal line, or None if the line is torn or foreign."""
    try:
        text = line.decode()
        body, end = _scan(text, 0)
        if end != len(text):
            return None
        return Event(int(body.pop("seq")), int(body.pop("term")), float(body.pop("t")), str(body.pop("type")), body)
    except (StopIteration, ValueError, ArithmeticError, KeyError, TypeError, AttributeError, RecursionError):
        return None
