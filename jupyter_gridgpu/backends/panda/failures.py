"""PanDA's error codes and diagnostics, as our reasons and as text for the user.

Everything that PanDA says is bounded and shown as text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from jupyter_gridgpu.backends.panda.error_codes import ERROR_SOURCES, KILLED_CODE, meaning
from jupyter_gridgpu.model.exit_codes import OUR_EXITS
from jupyter_gridgpu.model.job import one_line

_BY_PANDA = re.compile(r"killed by (panda|jedi|server|system)\b", re.IGNORECASE)
# How PanDA's database writes that there is no value.
NO_VALUE = (None, "", "NULL", 0, "0")
DIAGNOSTIC_LENGTH = 200
DIALOG_LENGTH = 300
_IMAGE = re.compile(
    r"singularity|apptainer|container image|image not found|pull image", re.IGNORECASE
)
_MEMORY = re.compile(r"out of memory|exceeded.*memory", re.IGNORECASE)


def failure(job: Mapping[str, Any]) -> tuple[str | None, str]:
    """Return the reason and a sentence for a job that ended badly, from its codes and texts."""
    codes = _error_codes(job)
    exit_code = _number(job.get("transExitCode")) or codes.get("exe", 0)
    text = _sentence(job, codes, exit_code)
    if codes.get("taskBuffer") == KILLED_CODE and _is_killed_by_user(job):
        return "user", text
    for source, code in codes.items():
        reason, _ = meaning(source, code)
        # A node is blamed only where the job itself does not know better.
        if reason is not None and (reason != "node" or exit_code not in OUR_EXITS):
            return reason, text
    if exit_code in OUR_EXITS:
        reason, words = OUR_EXITS[exit_code]
        return reason, f"{words} {text}"
    # PanDA has no code of its own for what follows, so only the text can tell.
    if _MEMORY.search(text):
        return "oom", text
    if _IMAGE.search(text):
        return "image", text
    return "node", text


def _is_killed_by_user(job: Mapping[str, Any]) -> bool:
    """Return whether a user killed a job, here or with another program."""
    text = str(job.get("taskBufferErrorDiag"))
    return "killed by" in text and not _BY_PANDA.search(text)


def dialog(text: Any) -> str | None:
    """Return what a task's errorDialog says, without its HTML and without the link to a log."""
    if not isinstance(text, str):
        return None
    plain = html.unescape(re.sub(r"<[^>]*>", " ", text))
    line = one_line(plain, DIALOG_LENGTH) or ""
    message = re.sub(r"^\s*log\s*:\s*", "", line).strip(" .")
    return message or None


def _error_codes(job: Mapping[str, Any]) -> dict[str, int]:
    """Return the error codes of a job that are not 0, by the part of PanDA that gave them."""
    codes = {}
    for source in ERROR_SOURCES:
        code = _number(job.get(f"{source}ErrorCode"))
        if code:
            codes[source] = code
    return codes


def _sentence(job: Mapping[str, Any], codes: Mapping[str, int], exit_code: int) -> str:
    """Return the first diagnostic of a job, with all of its codes and what they mean."""
    parts = []
    for source, code in codes.items():
        # The code of `exe` is the exit code of the job once more.
        if source != "exe":
            _, words = meaning(source, code)
            parts.append(f"{source} {code}: {words}" if words else f"{source} {code}")
    if exit_code:
        parts.append(f"exit code {exit_code}")
    text = _first_diagnostic(job, codes)
    if parts:
        text = f"{text} ({'; '.join(parts)})"
    return f"{text}."


def _first_diagnostic(job: Mapping[str, Any], codes: Mapping[str, int]) -> str:
    for source in codes:
        value = job.get(f"{source}ErrorDiag")
        if value in NO_VALUE:
            continue
        # The sentence gets a full stop of its own.
        text = (one_line(value, DIAGNOSTIC_LENGTH) or "").rstrip(". ")
        if text:
            return text
    return f"PanDA says no more than {job['jobStatus']}"


def _number(value: Any) -> int:
    """Return a code, which PanDA may write as a text, or 0 if there is none."""
    if value in NO_VALUE:
        return 0
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0
