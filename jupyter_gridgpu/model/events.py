"""Events: the lines of a scan's journal, the only record of what happened in the scan.

A line of the journal is one JSON object. Its first keys (`records.EventHead`) are the same for all
events; the others depend on the type of the event, and `RECORDS` names the type of each:

    {"seq":12,"term":1,"t":1795759392.4,"type":"job.intended","key":"v0002.1","crc":2793461203}

The last key is a checksum (CRC-32) of the bytes before it. Lines of earlier versions have none.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

from jupyter_gridgpu.model import numbers, records
from jupyter_gridgpu.model.fields import LATEST
from jupyter_gridgpu.model.plain_values import whole_texts

RUNNER_STARTED = "runner.started"
VARIANT_PROPOSED = "variant.proposed"
JOB_INTENDED = "job.intended"
JOB_SUBMITTED = "job.submitted"
JOB_OBSERVED = "job.observed"
JOB_REPORTED = "job.reported"
BACKEND_NOTED = "engine.noted"  # "engine" is what the first version called a backend
COMMAND_APPLIED = "command.applied"
RULE_MET = "rule.met"
IMAGE_SEEN = "image.seen"
NO_CONTAINER = "no container"  # the mark of a job that saw no sign of the container it was to be in
MACHINE_SLEPT = "machine.slept"
CLOCK_SET = "clock.set"
SCAN_FINISHED = "scan.finished"
MAX_FAILURES = "max-failures"  # the rule of the option --max-failures
NO_POINTS = "no-points"  # the rule that stops a scan whose sampler finds no more points

RECORDS: dict[str, type] = {
    RUNNER_STARTED: records.RunnerStarted,
    VARIANT_PROPOSED: records.VariantProposed,
    JOB_INTENDED: records.JobIntended,
    JOB_SUBMITTED: records.JobSubmitted,
    JOB_OBSERVED: records.JobObserved,
    JOB_REPORTED: records.JobReported,
    BACKEND_NOTED: records.BackendNoted,
    COMMAND_APPLIED: records.CommandApplied,
    RULE_MET: records.RuleMet,
    IMAGE_SEEN: records.ImageSeen,
    MACHINE_SLEPT: records.MachineSlept,
    CLOCK_SET: records.ClockSet,
    SCAN_FINISHED: records.ScanFinished,
}


class Event(NamedTuple):
    """One line of the journal."""

    seq: int  # counts the lines of the journal from 1
    term: int  # of the lease under which the line was written
    time: float  # seconds since the epoch
    type: str  # one of RECORDS, or a type that only a later version knows
    # The keys of the event. They have the type that RECORDS names; the fold takes it from there.
    data: dict[str, Any]
    checked: bool = True  # whether a checksum vouches for the line

    def line(self) -> str:
        """Return the event as one line of strict JSON, without the end of the line."""
        head = {"seq": self.seq, "term": self.term, "t": round(self.time, 3), "type": self.type}
        text = json.dumps({**head, **numbers.encode_all(self.data)}, separators=(",", ":"))[:-1]
        return f'{text},"crc":{zlib.crc32(text.encode())}}}'


# Stands for a line of the journal that cannot be read.
UNREADABLE = Event(0, 0, 0.0, "", {})
_CRC = b',"crc":'
_CRC_BYTES = len(_CRC) + 11  # the key, ten digits and the closing bracket


def _checksum_fits(line: bytes) -> bool:
    """Return whether a line is as it was written, as far as its checksum tells.

    A line without a checksum fits. Raises ValueError if the checksum is no number.
    """
    # In a text of JSON, quotes have a backslash before them. So these bytes can only be the key.
    start = line.rfind(_CRC, -_CRC_BYTES)
    if start < 0 or line.endswith(b"}}"):
        return True
    return zlib.crc32(line[:start]) == int(line[start + len(_CRC) : -1])


def parse_line(line: bytes, decode: Callable[[bytes], Any] = json.loads) -> Event | None:
    """Return the event of one journal line, or None if the line is torn, damaged or no event.

    `decode` turns the bytes into Python values; a faster decoder may stand in for that of `json`.
    """
    # A line may be cut in the middle by a full disk, or written by hand: whatever Python raises
    # for such a line means only that it is no event.
    try:
        if not _checksum_fits(line):
            return None
        body = decode(line)
        if b"\\u" in line or b"\xed" in line:  # half a surrogate pair has one of the two
            body = whole_texts(body)
        checked = body.pop("crc", None) is not None
        seq, term, time, type_ = body.pop("seq"), body.pop("term"), body.pop("t"), body.pop("type")
    except (ValueError, ArithmeticError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    # Comparisons of types take less time than calls, and a journal has millions of lines.
    if type(seq) is not int or type(term) is not int or type(type_) is not str:
        return None
    if type(time) not in (int, float) or not 0 <= time <= LATEST:
        return None
    if not 0 <= seq <= numbers.LARGEST_INT or not 0 <= term <= numbers.LARGEST_INT:
        return None
    return Event(seq, term, float(time), type_, body, checked)
