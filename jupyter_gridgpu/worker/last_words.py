"""Finds in what a kernel printed last why it died, in its own words."""

from __future__ import annotations

import re

from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.worker.metrics.lines import resolved

LINES = 25  # the last lines, among which there may be a reason
WORDS_LIMIT = 250  # characters
# An exception as Python and most other languages print it, perhaps with the time before it.
_EXCEPTION = re.compile(r"^(?:[\w.]+\.)?[A-Z]\w*(?:Error|Exception|Interrupt|Exit)\b(?::|$)")
# How systems, allocators, and libraries say that a process ends now.
_FATAL = re.compile(
    r"^Killed\b|: Killed\b|Segmentation fault|std::bad_alloc|Cannot allocate memory"
    r"|Too many open files|Fatal Python error|terminate called|Aborted|core dumped|Bus error"
    r"|Illegal instruction|Floating point exception|No space left on device|panicked at"
    r"|out of memory|Out of memory|Check failed|cannot open shared object file"
    r"|error while loading shared libraries|undefined symbol|Resource temporarily unavailable"
    r"|stack overflow|double free|corrupted size|assertion .*failed|Assertion .* failed"
)
_GROUP = "Exception Group Traceback"
_FIRST = re.compile(r"\+-+ 1 -+\s*$")
_INSIDE = re.compile(r"^\s*\| (\S.*)$")


def words_of_dead(printed: str) -> str | None:
    """Return the line at the end of a log that says why a process died; None if no line does."""
    for line in reversed(_last_lines(printed)):
        if _FATAL.search(line) or _EXCEPTION.match(line):
            return _words(line)
    return None


def words_of_start(printed: str) -> str | None:
    """Return why a kernel did not start: the reason it printed, or else its last line."""
    lines = _last_lines(printed)
    return words_of_dead(printed) or (_words(lines[-1]) if lines else None)


def first_of_group(printed: str) -> str | None:
    """Return the first exception of the exception group that was printed last."""
    lines = iter(printed[max(printed.rfind(_GROUP), 0) :].splitlines())
    if not any(_FIRST.search(line) for line in lines):
        return None
    for line in lines:
        found = _INSIDE.match(line)
        if found and "Traceback (most recent call last)" not in line:
            return _words(found[1])
    return None


def _last_lines(printed: str) -> list[str]:
    lines = [resolved(line).strip() for line in printed.splitlines()[-LINES * 4 :]]
    return [line for line in lines if line][-LINES:]


def _words(line: str) -> str | None:
    """Return a line as a part of a sentence."""
    return (one_line(line, WORDS_LIMIT) or "").rstrip(". :") or None
