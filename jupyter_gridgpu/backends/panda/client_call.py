"""Asking PanDA through panda-client, in a process of its own: client.py.

The functions of panda-client block for minutes, print tokens, ask on the terminal and end the
process that calls them. So the runner never calls them. The question goes to the process by its
stdin, and the answer comes back as JSON; whatever panda-client prints stays in that process.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import BackendError, Unreachable
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.store.json_decoder import parse_json

MODULE = "jupyter_gridgpu.backends.panda.client"
# How long to wait for each kind of answer, in seconds.
CHECK_S = 40.0
ASK_S = 180.0
SEND_S = 900.0
# Keys of a body that holds an error instead of an answer.
REFUSED = "refused"  # PanDA understood the question and refused it
SILENT = "unreachable"  # it is not known whether PanDA heard the question


def call(verb: str, arguments: dict[str, Any], timeout_s: float) -> Any:
    """Ask PanDA and return the answer.

    Raises BackendError with PanDA's text if it refuses, Unreachable if it does not answer in time.
    """
    question = json.dumps({"verb": verb, **arguments})
    try:
        process = subprocess.run(
            [sys.executable, "-m", MODULE],
            input=question,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired:
        raise Unreachable(f"PanDA did not answer within {timeout_s:.0f} s") from None
    except OSError as error:
        raise Unreachable(f"panda-client cannot be started: {error.strerror}") from None
    return unpacked(process.stdout)


def start(verb: str, arguments: dict[str, Any], answer_file: Path) -> subprocess.Popen[bytes]:
    """Start a process that asks PanDA and writes the answer into a file. Raises OSError.

    The call does not wait. The process goes on when the runner ends, and gives up after SEND_S.
    """
    question = {"verb": verb, "answer": str(answer_file), "patience_s": SEND_S, **arguments}
    process = subprocess.Popen(
        [sys.executable, "-m", MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdin is not None
    # A process that died at once leaves no answer, which `BatchSenders.answer` notices.
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(json.dumps(question).encode())
        process.stdin.close()
    return process


def unpacked(text: str) -> Any:
    """Return the answer in the body that the process wrote.

    If the body holds an error, raises BackendError with PanDA's text, or Unreachable.
    """
    try:
        body = parse_json(text)
        answer = body.get("answer")
    except (ValueError, AttributeError):
        # The process was killed, or something else wrote to its stdout.
        raise Unreachable("panda-client gave no answer") from None
    if SILENT in body:
        raise Unreachable(one_line(body[SILENT]) or "PanDA does not answer")
    if REFUSED in body:
        raise BackendError(one_line(body[REFUSED]) or "PanDA refused it")
    return answer
