"""Checks what `--setup` and `--python` say, without running any of it."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from pathlib import Path

from jupyter_gridgpu import images
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.environment import LINE_LIMIT, is_line
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.store import home

NAME_SHOWN = 100  # characters of a wrong text in a sentence
CHECK_S = 10  # for a shell to read a line
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}")  # of a program or an environment


def one_line_of(option: str, text: str) -> str:
    """Return one line of text, without space around it. Raises UsageError."""
    if not is_line(text):
        raise UsageError(
            f"--{option} {text[:NAME_SHOWN]!r}: give one line of at most {LINE_LIMIT:,} characters."
        )
    return text.strip()


def setup_line(text: str) -> str:
    """Return a line of `--setup`. Raises UsageError if a shell cannot read it."""
    line = one_line_of("setup", text)
    complaint = _complaint(line)
    if complaint is not None:
        raise UsageError(
            f"--setup {line[:NAME_SHOWN]!r} is no complete line of shell: {complaint}."
            " Each --setup line is run on its own."
        )
    return line


@functools.lru_cache(maxsize=1000)
def _complaint(line: str) -> str | None:
    """Return what the shell says against a line, which it reads and does not run; None if nothing.

    Bash reads it, as on the node, if this machine has it.
    """
    shell = shutil.which("bash") or "/bin/sh"
    try:
        ran = subprocess.run(
            [shell, "-n"],
            input=f"{line}\n",
            # Neither a file that bash reads at its start nor another language for its words.
            env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=CHECK_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None  # the node will tell
    if ran.returncode == 0:
        return None
    said = (ran.stderr.splitlines() or ["it ends too early"])[0]
    # bash: line 1: syntax error near ...; sh: 2: Syntax error: ...
    return one_line(re.sub(r"^[^:]*:(?: (?:line )?\d+:)?\s*", "", said), 200)


def python_of(text: str, image: str | None) -> str:
    """Return what `--python` names: a whole path, a program, or conda:NAME. Raises UsageError."""
    python = one_line_of("python", text)
    if image is not None:
        raise UsageError(
            "--python is for jobs that run in no image: with --image, the image's own python3 runs."
            " Leave one of them out."
        )
    name = images.conda_name(python)
    if name is not None:
        if name.startswith(("/", "~")):
            return f"conda:{home.user_path(name).absolute()}"
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"--python {python[:NAME_SHOWN]!r}: write conda: and the name of an environment,"
                " like conda:ml, or its folder."
            )
        return python
    if "/" in python or python.startswith("~"):
        # The link itself: the Python of a virtual environment is a link to another one.
        path = home.user_path(python).absolute()
        if Path(path).is_dir():
            raise UsageError(
                f"--python {python[:NAME_SHOWN]} is a folder: give the program in it, like"
                f" {path / 'bin' / 'python'}."
            )
        return str(path)
    if not _NAME.fullmatch(python):
        raise UsageError(
            f"--python {python[:NAME_SHOWN]!r}: give one program, like python3.12 or"
            " /path/to/bin/python, or conda:NAME."
        )
    return python
