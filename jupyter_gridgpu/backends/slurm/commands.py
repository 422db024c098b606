"""Runs Slurm's commands and tells a Slurm that is silent from one that refuses."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from jupyter_gridgpu.backends.slurm import output
from jupyter_gridgpu.errors import BackendError, Unreachable

COMMAND_TIMEOUT_S = 60.0  # for one command; Slurm's commands mostly give up earlier by themselves
# Errors after which it is not known whether Slurm has carried out the command.
_SILENT = re.compile(
    r"Unable to contact slurm controller|Socket timed out|[Cc]onnection (refused|reset|timed out)"
    r"|Zero Bytes|Unexpected missing socket|[Uu]nable to establish|[Aa]uthentication"
    r"|Invalid credential|munge|try again later|temporarily unable|standby mode"
    r"|Insane message length|Communication connection failure|Transport endpoint"
)


def run(
    command: Sequence[str],
    timeout_s: float = COMMAND_TIMEOUT_S,
    text: str = "",
    env: dict[str, str] | None = None,
    keep: TextIO | None = None,
    cluster: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run a command of Slurm and return its output and exit code.

    `cluster` is the cluster that is meant, "" for the usual one. `text` goes to the command's
    standard input. `keep` is a file that the command holds open, and with it the file's lock.
    Raises Unreachable if Slurm does not answer, BackendError if the command cannot be started.
    """
    if env is None:
        # Times as seconds since the epoch, and texts in English.
        env = {**os.environ, "SLURM_TIME_FORMAT": "%s", "LC_ALL": "C.UTF-8"}
    if cluster:
        # All commands have this option.
        command = [command[0], f"--clusters={cluster}", *command[1:]]
    inherited = []
    if keep is not None:
        inherited.append(keep.fileno())
    try:
        ran = subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            errors="replace",  # names of nodes or users may be in any encoding
            timeout=timeout_s,
            env=env,
            pass_fds=inherited,
        )
    except subprocess.TimeoutExpired:
        raise Unreachable(f"{command[0]} did not answer within {timeout_s:.0f} s") from None
    except OSError as error:
        raise BackendError(f"{command[0]} cannot be started: {error.strerror}.") from None
    # A refusal and a Slurm that is silent have the same exit code, 1. Only the text tells them
    # apart.
    if ran.returncode and _SILENT.search(ran.stderr):
        raise Unreachable(f"Slurm does not answer: {output.complaint(ran.stderr)}")
    return ran


def answer(command: Sequence[str], cluster: str = "") -> str:
    """Run a command that only asks, and return what it prints. Raises Unreachable if it fails."""
    ran = run(command, cluster=cluster)
    if ran.returncode:
        raise Unreachable(f"{command[0]} failed: {output.complaint(ran.stderr)}")
    return ran.stdout


def own_jobs() -> str:
    """Return the option that asks for the jobs of this user only."""
    return f"--user={os.getuid()}"


class Accounting:
    """Slurm's record of past jobs, which not every cluster has."""

    def __init__(self, cluster: str = "") -> None:
        self.cluster = cluster  # "" for the usual one
        self._exists: bool | None = None  # whether there is accounting; None: not tried yet

    def ask(self, fields: Sequence[str], *options: str) -> str:
        """Return what sacct prints about jobs; "" if there is no accounting.

        Raises Unreachable if the accounting does not answer.
        """
        if self._exists is None:
            self._exists = shutil.which("sacct") is not None
        if not self._exists:
            return ""
        form = [f"--delimiter={output.DIVIDER}", f"--format={','.join(fields)}"]
        command = ["sacct", "--noheader", "--parsable2", "--allocations", *form, *options]
        ran = run(command, cluster=self.cluster)
        if ran.returncode and "disabled" in ran.stderr:
            # The command is installed, but this cluster keeps no accounting: it is not asked again.
            self._exists = False
            return ""
        if ran.returncode:
            raise Unreachable(f"sacct failed: {output.complaint(ran.stderr)}")
        return ran.stdout


def local_time(when: float) -> str:
    """Return a time (seconds since the epoch) as options of sacct take it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(when))


def array_ids(tasks: Iterable[str]) -> list[str]:
    """Return the arguments that name these tasks to scancel.

    `12_1 12_2 12_3 12_7` becomes `12_[1-3,7]`, so that ten thousand tasks fit into a command line.
    """
    indices: dict[str, set[int]] = {}
    for task in tasks:
        array, _, index = task.partition("_")
        found = indices.setdefault(array, set())
        if index:
            found.add(int(index))
    arguments = []
    for array, found in indices.items():
        if found:
            arguments.append(f"{array}_[{','.join(_ranges(sorted(found)))}]")
        else:
            arguments.append(array)
    return arguments


def _ranges(numbers: list[int]) -> Iterator[str]:
    """Yield ascending numbers as ranges: 1, 2, 3, 7 become `1-3` and `7`."""
    first = 0  # the position at which the range began
    for position, number in enumerate(numbers):
        goes_on = position + 1 < len(numbers) and numbers[position + 1] == number + 1
        if goes_on:
            continue
        if first == position:
            yield str(number)
        else:
            yield f"{numbers[first]}-{number}"
        first = position + 1
