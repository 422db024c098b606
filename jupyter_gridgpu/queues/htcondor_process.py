"""Asks HTCondor through its Python bindings, in a process of its own for each question.

While HTCondor's bindings wait, the whole process stands still, with all its threads. If a daemon is
in trouble, that takes 20 s. A runner, a server or a kernel must not wait so long, so none of them
imports the bindings.

A module with questions has a table of verbs, functions that get the module of the bindings and the
arguments of the question. Run as a program, the module calls `serve`:

    if __name__ == "__main__":
        htcondor_process.serve(VERBS, describe_error)

`ask` starts such a module, hands it `{"verb": ..., "arguments": {...}}` on stdin, and reads one of
these from its stdout:

    {"answer": ...}       what the verb returned
    {"refused": text}     HTCondor understood the question and refused
    {"silent": text}      it is not known whether HTCondor heard the question
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from jupyter_gridgpu.errors import BackendError, Unreachable
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.store.json_decoder import parse_json

ANSWER_LIMIT = 256_000_000  # characters; the ads of 50,000 slots have fewer
COMPLAINT_LIMIT = 200  # characters
# The bindings of HTCondor 24, then those of older versions.
BINDINGS = ("htcondor2", "htcondor")
NO_BINDINGS = "HTCondor is set up here, but its Python bindings are missing: pip install htcondor."

Verbs = Mapping[str, Callable[..., Any]]
# Gets the module of the bindings and the error that they raised, and returns what a user reads. The
# module has the types of the errors, which nothing outside this process can import.
DescribeError = Callable[[Any, Exception], str]


# The functions from here on run in the process that asks.


def ask(
    module: str, verb: str, timeout_s: float, keep: TextIO | None = None, **arguments: Any
) -> Any:
    """Ask one question of a module, `jupyter_gridgpu....`, and return the answer.

    The new process holds the file `keep` open, too, for as long as it runs. Raises BackendError if
    HTCondor refuses, and Unreachable if no answer comes within `timeout_s` seconds.
    """
    kept_files = []
    if keep is not None:
        kept_files.append(keep.fileno())
    try:
        ended = subprocess.run(
            [sys.executable, "-m", module],
            input=json.dumps({"verb": verb, "arguments": arguments}),
            capture_output=True,
            text=True,
            # The bindings print what they like to stderr, in any encoding.
            errors="replace",
            timeout=timeout_s,
            pass_fds=kept_files,
        )
    except subprocess.TimeoutExpired:
        raise Unreachable(f"HTCondor did not answer within {timeout_s:.0f} s.") from None
    except OSError as error:
        raise Unreachable(f"HTCondor cannot be asked: {error.strerror}.") from None
    return _unpacked(ended.stdout[:ANSWER_LIMIT], ended.stderr)


def _unpacked(stdout: str, stderr: str) -> Any:
    """Return the answer that the process printed, or raise the error that it printed."""
    try:
        envelope = parse_json(stdout, ANSWER_LIMIT)
        if not isinstance(envelope, dict):
            raise ValueError("it is no answer")
    except ValueError:
        # The process died before it could answer. Its last line of stderr names the exception.
        lines = stderr.strip().splitlines() or ["no word"]
        complaint = one_line(lines[-1], COMPLAINT_LIMIT)
        raise Unreachable(f"HTCondor's bindings failed: {complaint}") from None
    if "refused" in envelope:
        raise BackendError(envelope["refused"])
    if "silent" in envelope:
        raise Unreachable(envelope["silent"])
    return envelope["answer"]


# The functions from here on run in the process that is started for a question.


def serve(verbs: Verbs, describe_error: DescribeError) -> None:
    """Read a question from stdin, and write the answer to stdout."""
    question = parse_json(sys.stdin.read())
    envelope = answer(
        verbs, describe_error, find_bindings(), question["verb"], question["arguments"]
    )
    print(json.dumps(envelope))


def answer(
    verbs: Verbs,
    describe_error: DescribeError,
    bindings: Any,
    verb: str,
    arguments: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the envelope for one question.

    `bindings` is the module of HTCondor's bindings, or None if there is none.
    """
    # Missing bindings are no refusal. They may vanish during an update while a scan runs, and the
    # jobs of the scan must not fail for that.
    if bindings is None:
        return {"silent": NO_BINDINGS}
    try:
        return {"answer": verbs[verb](bindings, **arguments)}
    except BackendError as error:
        return {"refused": str(error)}
    # The bindings have error types of their own, and older versions have others.
    except Exception as error:
        return {"silent": describe_error(bindings, error)}


def find_bindings() -> Any:
    """Return the module of HTCondor's bindings, or None if this Python has none that works."""
    for name in BINDINGS:
        try:
            return importlib.import_module(name)
        # A wheel that does not fit this machine may fail with any error, not ImportError alone.
        except Exception:
            continue
    return None
