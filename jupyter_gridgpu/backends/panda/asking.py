"""Asking PanDA through panda-client, in a process of its own: its calls block for minutes, print tokens and exit.

What is asked goes to the process by its stdin, what it answers comes back as JSON; what it prints meanwhile stays there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import BackendError, Unreachable
from jupyter_gridgpu.model.job import bounded

MODULE = "jupyter_gridgpu.backends.panda.client"
CHECK_S = 40.0
ASK_S = 180.0
SEND_S = 900.0
REFUSED, SILENT = "refused", "unreachable"  # keys of an answer that is none


def call(verb: str, asked: dict[str, Any], patience_s: float) -> Any:
    """Return the answer to a question. Raises Unreachable, or EngineError in PanDA's words."""
    text = json.dumps({"verb": verb, **asked})
    command = [sys.executable, "-m", MODULE]
    try:
        ran = subprocess.run(
            command,
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=patience_s,
        )
    except subprocess.TimeoutExpired:
        raise Unreachable(f"PanDA did not answer within {patience_s:.0f} s") from None
    except OSError as error:
        raise Unreachable(f"panda-client cannot be started: {error.strerror}") from None
    return answered(ran.stdout)


def start(verb: str, asked: dict[str, Any], answer: Path) -> subprocess.Popen[bytes]:
    """Ask without waiting; the answer will be in a file. The process goes on when this one dies. Raises OSError."""
    text = json.dumps({"verb": verb, "answer": str(answer), "patience_s": SEND_S, **asked})
    process = subprocess.Popen(
        [sys.executable, "-m", MODULE],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    assert process.stdin is not None
    try:
        process.stdin.write(text.encode())
        process.stdin.close()
    except BrokenPipeError:  # it died at once; whoever asks for its answer sees that
        pass
    return process


def answered(text: str) -> Any:
    """Return what an answer holds. Raises Unreachable, or EngineError in PanDA's words."""
    try:
        body = json.loads(text)
        answer = body.get("answer")
    except (ValueError, AttributeError):
        raise Unreachable("panda-client gave no answer") from None
    if SILENT in body:
        raise Unreachable(bounded(body[SILENT]) or "PanDA does not answer")
    if REFUSED in body:
        raise BackendError(bounded(body[REFUSED]) or "PanDA refused it")
    return answer
