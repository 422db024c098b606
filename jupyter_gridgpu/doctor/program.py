"""Runs a program for a check, with a limit of time and of output."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from jupyter_gridgpu.model.job import one_line

TIMEOUT_S = 8.0  # seconds
OUTPUT_LIMIT = 100_000  # characters of each stream
LINE_LIMIT = 100  # characters of a line that is shown


@dataclass(frozen=True)
class ProgramOutput:
    """How a program ended, and what it printed."""

    code: int | None  # None: it could not be started, or did not end in time
    out: str = ""
    err: str = ""

    @property
    def complaint(self) -> str:
        """The last line of what went wrong, without its full stop, as a part of a sentence."""
        # Programs end with the error that matters. Some print it to standard output.
        lines = (self.err.strip() or self.out.strip()).splitlines() or ["it said nothing"]
        return (one_line(lines[-1], 160) or "").rstrip(".")


def run_program(*command: str, timeout_s: float = TIMEOUT_S) -> ProgramOutput:
    """Run a program and return its output, also if it fails, hangs or is missing."""
    try:
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            # A program that asks for a password must not wait for the user's keyboard.
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return ProgramOutput(None, err=f"it did not answer within {timeout_s:.0f} s")
    except OSError as error:
        return ProgramOutput(None, err=error.strerror or str(error))
    return ProgramOutput(ended.returncode, ended.stdout[:OUTPUT_LIMIT], ended.stderr[:OUTPUT_LIMIT])


def first_line(text: str) -> str:
    """Return the first line of a text that is not empty, shortened to LINE_LIMIT."""
    lines = text.strip().splitlines()
    return one_line(lines[0], LINE_LIMIT) or "" if lines else ""
