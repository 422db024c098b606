"""What a part says of itself, and asking a program."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from jupyter_gridgpu.model.job import bounded

ANSWER_S = 8.0


@dataclass(frozen=True)
class Finding:
    """One sentence; `level` is ok, note (good to know) or problem, and `advice` what to do."""

    level: str
    text: str
    advice: str = ""


def ok(text: str) -> Finding:
    return Finding("ok", bounded(text) or "")


def note(text: str, advice: str = "") -> Finding:
    return Finding("note", bounded(text) or "", bounded(advice) or "")


def problem(text: str, advice: str) -> Finding:
    return Finding("problem", bounded(text) or "", bounded(advice) or "")


@dataclass(frozen=True)
class ProgramOutput:
    """How a program ended, and its words. `code` is None where it could not be started or did not end in time."""

    code: int | None
    out: str = ""
    err: str = ""

    @property
    def last(self) -> str:
        """The last line of what it complained about, as a part of a sentence."""
        lines = (self.err.strip() or self.out.strip()).splitlines() or ["it said nothing"]
        return (bounded(lines[-1], 160) or "").rstrip(".")


def run(*words: str, timeout_s: float = ANSWER_S) -> ProgramOutput:
    """Run a program, bounded in time and words."""
    try:
        ran = subprocess.run(
            words,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return ProgramOutput(None, err=f"it did not answer within {timeout_s:.0f} s")
    except OSError as error:
        return ProgramOutput(None, err=error.strerror or str(error))
    return ProgramOutput(ran.returncode, ran.stdout[:100_000], ran.stderr[:100_000])


def first_line(text: str) -> str:
    return bounded(text.strip().splitlines()[0], 100) or "" if text.strip() else ""


def several(count: int, one: str, many: str, words: Sequence[str] = (), most: int = 4) -> str:
    """Return `3 kernels: a, b, c`."""
    named = ", ".join(words[:most]) + (", …" if len(words) > most else "")
    return f"{count} {one if count == 1 else many}{': ' + named if named else ''}"
