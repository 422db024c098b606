"""PanDA's error codes and diagnostics, as our reasons and as text for the user.

Everything that PanDA says is bounded and shown as text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from jupyter_gridgpu.backends.batch.exit_codes import exit_meaning
from jupyter_gridgpu.model.job import one_line

# The parts of PanDA that give a job an error code. The first that says something is shown.
ERROR_SOURCES = ("pilot", "ddm", "jobDispatcher", "taskBuffer", "brokerage", "sup", "exe")
# Our reasons for error codes. A code that is not listed means a failure of the node.
REASON_OF_CODE = {
    ("pilot", 1212): "oom",
    ("pilot", 1223): "oom",
    ("pilot", 1213): "timeout",
    ("pilot", 1150): "timeout",
    ("pilot", 1144): "user",
}
# PanDA's own code of jobs that were killed. Its text says by whom: a user, or PanDA itself.
KILLED_CODE = 100
_BY_PANDA = re.compile(r"killed by (panda|jedi|server|system)\b", re.IGNORECASE)
LAUNCHER_CODES = (71, 72, 73, 74, 75, 76)
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
    exit_code = _number(job.get("transExitCode"))
    text = _sentence(job, codes, exit_code)
    if codes.get("taskBuffer") == KILLED_CODE and _is_killed_by_user(job):
        return "user", text
    for source_and_code in codes.items():
        if source_and_code in REASON_OF_CODE:
            return REASON_OF_CODE[source_and_code], text
    if exit_code in LAUNCHER_CODES:
        reason, meaning = exit_meaning(exit_code)
        return reason, f"{meaning} {text}"
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
    """Return the first diagnostic of a job, with all of its codes."""
    # The code of `exe` is the exit code of the job once more.
    numbers = [f"{source} {code}" for source, code in codes.items() if source != "exe"]
    if exit_code:
        numbers.append(f"exit code {exit_code}")
    text = _first_diagnostic(job, codes)
    if numbers:
        text = f"{text} ({','.join(numbers)})"
    # This puts a blank behind the commas of the diagnostic as well.
    return f"{text}.".replace(",", ", ")


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
