"""Jobs: one attempt at one variant, and the steps its state may take."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any

from jupyter_gridgpu.errors import UsageError

STATES = ("new", "queued", "running", "done", "failed", "cancelled", "lost")
END_STATES = frozenset({"done", "failed", "cancelled", "lost"})
# running -> queued happens on a requeue; steps may be skipped; an end state absorbs.
NEXT = {
    "new": frozenset(STATES) - {"new"},
    "queued": frozenset(STATES) - {"new", "queued"},
    "running": frozenset(STATES) - {"new", "running"},
    **{state: frozenset() for state in END_STATES},
}
REASONS = ("timeout", "oom", "preempted", "node", "image", "notebook", "user", "submit")
MESSAGE_LIMIT = 500
_KEY = re.compile(r"(v\d{4,7})\.(\d{1,4})")


def variant_id(index: int) -> str:
    """Return the id of variant number `index` (from 1): v0001."""
    return f"v{index:04d}"


def job_key(variant: str, attempt: int) -> str:
    return f"{variant}.{attempt}"


@functools.lru_cache(maxsize=4096)
def split_key(key: str) -> tuple[str, int]:
    """Return variant id and attempt of `v0017.2`. Raises UsageError for anything else."""
    found = _KEY.fullmatch(key)
    if not found:
        raise UsageError(f"{key!r} is no job; a job is written like v0017.2.")
    return found[1], int(found[2])


@dataclass(frozen=True)
class Observation:
    """What an engine, or a job's own result, says of a job."""

    state: str
    reason: str | None = None
    message: str | None = None
    cell: int | None = None
    where: str | None = None  # the host of a local job; else queue, partition or site
    node: str | None = None
    link: str | None = None  # the engine's own page about it
    gpu: str | None = None
    started: float | None = None  # seconds since the epoch
    ended: float | None = None
    notebook: str | None = None  # relative to the scan folder
    gpu_s: float = 0.0
    peak_mb: float | None = None


def allowed(state: str, seen: str) -> bool:
    """Whether a job in `state` may be seen in `seen` next.

    Polls repeat and arrive late, so a step that NEXT forbids is dropped; a finished job never changes.
    """
    return seen in NEXT.get(state, frozenset())


def bounded(text: Any, limit: int = MESSAGE_LIMIT) -> str | None:
    """Return text from a job as one bounded line without control characters, or None if it is no text."""
    if not isinstance(text, str):
        return None
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * limit]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
