"""Says in words that a notebook failed since the node gave it no more memory, processes or files.

The notebook sees only an error that names none of it, such as `BrokenProcessPool`. The counters of
the control group, and the limits of the process, tell what was behind it.
"""

from __future__ import annotations

import contextlib
import re
import resource
from collections.abc import Mapping
from typing import Any

from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.worker.oom_kills import count_oom_kills, count_refused_processes

# How a notebook notices that one of its processes was killed.
_CHILD_KILLED = re.compile(
    r"BrokenProcessPool|terminated abruptly|SIGKILL|signal: Killed|exited unexpectedly"
    r"|exit (code|status):? (-9|137)|died with <Signals|EOFError|ConnectionResetError"
    r"|BrokenPipeError|WorkerLost|RayOutOfMemory|TerminatedWorkerError"
)
# How it notices that it may start no further process or thread.
_NO_PROCESS = re.compile(
    r"BlockingIOError: \[Errno 11\]|Resource temporarily unavailable|can't start new thread"
)
_NO_FILE = re.compile(r"Too many open files|\[Errno (24|23)\]")


class Exhaustion:
    """What the control group of a job has counted since the job began."""

    def __init__(self) -> None:
        self._oom_kills = count_oom_kills()
        self._refused = count_refused_processes()

    def explained(self, outcome: Mapping[str, Any]) -> dict[str, Any]:
        """Return a part of a result, with its reason and message made clear if they can be."""
        text = str(outcome.get("message") or "")
        if outcome.get("state") != "failed" or outcome.get("reason") not in ("notebook", "node"):
            return dict(outcome)
        reason, cause = self._cause(text, outcome)
        if cause is None:
            return dict(outcome)
        return {**outcome, "reason": reason, "message": one_line(f"{cause} {text}")}

    def _cause(self, text: str, outcome: Mapping[str, Any]) -> tuple[Any, str | None]:
        if count_oom_kills() > self._oom_kills and _CHILD_KILLED.search(text):
            return "oom", "Out of memory: the node killed a process that the notebook had started."
        was_refused = count_refused_processes() > self._refused
        if _NO_PROCESS.search(text) or (was_refused and "kernel died" in text.lower()):
            return outcome["reason"], f"No more processes or threads may be started{_most()}."
        if _NO_FILE.search(text):
            most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            return outcome["reason"], f"Too many open files: a process may have {most}."
        return None, None


def _most() -> str:
    with contextlib.suppress(OSError, ValueError):
        most = resource.getrlimit(resource.RLIMIT_NPROC)[0]
        if most != resource.RLIM_INFINITY:
            return f" (the user may have {most}, the job perhaps less)"
    return ""
