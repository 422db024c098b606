"""Jobs: one attempt at one variant, and the steps that the state of a job may take."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.escapes import without_escapes

STATES = ("new", "queued", "running", "done", "failed", "cancelled", "lost")
END_STATES = frozenset({"done", "failed", "cancelled", "lost"})
# The states that may follow each state. States may be skipped, since a job may begin and end
# between two polls. A batch system may put a running job back into its queue. No state follows
# an end state.
NEXT = {
    "new": frozenset(STATES) - {"new"},
    "queued": frozenset(STATES) - {"new", "queued"},
    "running": frozenset(STATES) - {"new", "running"},
    **{state: frozenset() for state in END_STATES},
}
REASONS = (
    "timeout", "oom", "preempted", "pruned", "node", "image", "setup", "notebook", "user", "submit",
)  # fmt: skip
MESSAGE_LIMIT = 500  # characters
_KEY = re.compile(r"(v\d{4,7})\.(\d{1,4})", re.ASCII)


def variant_id(index: int) -> str:
    """Return the id of variant number `index` (from 1): v0001."""
    return f"v{index:04d}"


def job_key(variant: str, attempt: int) -> str:
    """Return the key of attempt number `attempt` (from 1) at a variant: v0017.2."""
    return f"{variant}.{attempt}"


# The fold splits the same few keys a million times.
@functools.lru_cache(maxsize=4096)
def split_key(key: str) -> tuple[str, int]:
    """Return variant id and attempt of a key like `v0017.2`. Raises UsageError for other texts."""
    found = _KEY.fullmatch(key)
    if not found:
        raise UsageError(f"{key!r} is no job; a job is written like v0017.2.")
    return found[1], int(found[2])


def is_job_key(value: object) -> bool:
    """Return whether a value is a key like `v0017.2`."""
    return isinstance(value, str) and _KEY.fullmatch(value) is not None


@dataclass(frozen=True)
class Observation:
    """What a backend, or a job's own result, says of a job at one moment.

    A field that is None is not known.
    """

    state: str
    reason: str | None = None  # of a failure, one of REASONS
    # One sentence: why the job waits or failed; "" if there is nothing to say any more.
    message: str | None = None
    cell: int | None = None  # that failed, as In [n] counts in the user's notebook
    where: str | None = None  # the host of a local job, else the queue
    node: str | None = None
    link: str | None = None  # the batch system's own page about the job
    gpu: str | None = None
    started: float | None = None  # seconds since the epoch
    ended: float | None = None
    notebook: str | None = None  # path of the executed notebook in the scan folder
    gpu_s: float = 0.0  # GPU seconds that the job took
    peak_mb: float | None = None


def may_follow(state: str, seen: str) -> bool:
    """Return whether a job in `state` may be seen in the state `seen` next.

    Polls repeat and arrive late, so a step that NEXT forbids is dropped; a finished job never
    changes.
    """
    return seen in NEXT.get(state, frozenset())


def one_line(text: Any, limit: int = MESSAGE_LIMIT) -> str | None:
    """Return a text that came from a job as one line of at most `limit` characters.

    Colours and other sequences for terminals are left out. Control characters and ends of lines
    become spaces, so that the text cannot disturb a terminal or a log. Returns None if it is no
    text.
    """
    if not isinstance(text, str):
        return None
    # The text may be megabytes long. Its beginning is enough, even if many spaces are merged.
    begin = without_escapes(text[: 4 * limit])
    printable = "".join(char if char.isprintable() else " " for char in begin)
    line = " ".join(printable.split())
    if len(line) <= limit:
        return line
    return line[: limit - 1] + "…"
