"""Runs git for a moment: its time and its output are bounded, and its environment is ours."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

GIT_TIMEOUT_S = 5.0  # seconds for one git command


def git_program() -> str | None:
    """Return the path of git, or None if it is not installed.

    A folder in PATH without a leading slash, such as `.`, may be the repository itself. It is
    passed over, since the repository may hold a program `git`.
    """
    folders = [folder for folder in os.get_exec_path() if os.path.isabs(folder)]
    if not folders:
        return None
    return shutil.which("git", path=os.pathsep.join(folders))


class GitCommands:
    """Runs git commands in one folder, with one environment and one deadline for all of them."""

    def __init__(self, program: str, folder: Path, environment: Mapping[str, str], ends: float):
        """Keep what the commands need; `ends` is a time of `time.monotonic`."""
        self._program = program
        self._folder = folder
        self._environment = dict(environment)
        self._ends = ends

    def run(self, limit: int, *arguments: str, typed: bytes = b"") -> bytes | None:
        """Return at most `limit` bytes of git's output, or None if git fails or is too slow.

        `typed` is what git reads from its standard input.
        """
        seconds = min(GIT_TIMEOUT_S, self._ends - time.monotonic())
        if seconds <= 0:
            return None
        # The input is a file: git may print before it has read all of it, and two that write into
        # full pipes wait for each other.
        with tempfile.TemporaryFile() as file:
            try:
                file.write(typed)
                file.seek(0)
                process = subprocess.Popen(
                    [self._program, "-C", str(self._folder), *arguments],
                    stdin=file,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=self._environment,
                    start_new_session=True,  # so that all of it can be killed
                )
            except (OSError, ValueError):
                return None
        return _bounded_output(process, limit, seconds)


def _bounded_output(process: subprocess.Popen[bytes], limit: int, seconds: float) -> bytes | None:
    """Return at most `limit` bytes of the output, or None if the process failed or was killed.

    A process with more output is killed. That is no failure.
    """
    assert process.stdout is not None
    # On a network disk git may hang. Without the timer, the start of the scan would hang as well.
    deadline = threading.Timer(seconds, _kill, [process])
    deadline.start()
    try:
        with process.stdout:
            output = process.stdout.read(limit)
            has_more = bool(process.stdout.read(1))
        if has_more:
            _kill(process)
        exit_code = process.wait()
    finally:
        deadline.cancel()
    if exit_code != 0 and not has_more:
        return None
    return output


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
