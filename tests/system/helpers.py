"""Small helpers of the system tests: options, JSON, sentences, and processes of this machine."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
from typing import Any

import psutil

# Tests in other folders wait with the `eventually` of this module.

# What command lines take and print -------------------------------------------------------


def options(text: str) -> list[str]:
    """Split the words of a command line, for example `--gpus 1 --on slurm`."""
    return shlex.split(text)


def space(**axes: Any) -> list[str]:
    """Write a space as options: for n=[1, 2] that is `-p "n = [1, 2]"`."""
    words = []
    for name, values in axes.items():
        words += ["-p", f"{name} = {values!r}"]
    return words


def strict_json(text: str) -> Any:
    """Parse one JSON value as RFC 8259 has it; NaN and Infinity as bare words are refused."""

    def refuse(word: str) -> Any:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def one_sentence(text: str) -> str:
    """Return the one line that stderr holds after a mistake of the user."""
    lines = text.splitlines()
    assert len(lines) == 1, text
    assert lines[0].startswith("gridgpu: "), text
    assert "Traceback" not in text
    return lines[0]


# Processes. Each of them may end at any moment, also between two questions about it. -------


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process, which may be gone already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def gone(pid: int) -> bool:
    """Return whether a process has ended; its parent need not have noticed that yet."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def command_of(process: Any) -> list[str]:
    """Return the command line of a process; it is empty for one that has ended."""
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def job_of(process: Any) -> str:
    """Return the folder of the job for which a process was started, or an empty text."""
    try:
        return str(process.environ().get("GRIDGPU_JOB", ""))
    except (psutil.Error, OSError):
        return ""


def session_of(pid: int) -> int | None:
    """Return the session of a process, or None for one that has ended."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def processes_with(text: str) -> list[Any]:
    """Return the living processes with `text` in their command line or in the name of their job."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            named = text in job_of(process) or text in " ".join(process.cmdline())
            if named and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
