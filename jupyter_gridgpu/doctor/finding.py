"""Findings of the doctor: one sentence for each thing that it looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jupyter_gridgpu.model.job import one_line


@dataclass(frozen=True)
class Finding:
    """One sentence about one thing that the doctor looked at."""

    level: str  # ok, note (good to know) or problem
    text: str
    advice: str = ""  # what to do; a problem always has one


def ok(text: str) -> Finding:
    """Return a finding about something that is as it should be."""
    return Finding("ok", one_line(text) or "")


def note(text: str, advice: str = "") -> Finding:
    """Return a finding that is good to know, but no problem."""
    return Finding("note", one_line(text) or "", one_line(advice) or "")


def problem(text: str, advice: str) -> Finding:
    """Return a finding about something that does not work. `advice` says what to do."""
    return Finding("problem", one_line(text) or "", one_line(advice) or "")


def counted(
    count: int, singular: str, plural: str, names: Sequence[str] = (), most: int = 4
) -> str:
    """Return a text like `3 kernels: a, b, c`, with at most `most` of the names."""
    noun = singular if count == 1 else plural
    if not names:
        return f"{count} {noun}"
    listed = ", ".join(names[:most])
    # A computing centre may have hundreds of queues, and a finding is one line.
    if len(names) > most:
        listed += ", …"
    return f"{count} {noun}: {listed}"
