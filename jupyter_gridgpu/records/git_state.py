"""The state of the git repository that a notebook lies in: commit, branch, status and changes."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path
from typing import Any

DIFF_LIMIT = 200_000  # characters of the diff that are kept
STATUS_LIMIT = 5_000  # bytes
COMMIT_LIMIT = 200  # bytes
BRANCH_LIMIT = 300  # bytes
GIT_TIMEOUT_S = 5.0  # seconds for one git command
# Patterns of file names. These files may hold secrets, so their changes are left out of the diff.
_PRIVATE = (
    "*.env", "*.pem", "*.key", "*.p12", "*token*", "*secret*", "*credential*", "*password*",
    "*proxy*", "*id_rsa*",
)  # fmt: skip
# A repository may be somebody else's, and its configuration may name programs that git starts.
# These settings keep git from starting them; `git_state` adds two options of `git diff` for the
# same reason. The last setting makes git print names with letters like ö as they are.
_SETTINGS = (
    "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.quotePath=false",
)  # fmt: skip


def git_state(folder: Path, notebook: str) -> dict[str, Any] | None:
    """Return commit, branch, status and changes of a folder, or None if it is in no repository.

    The changes of the file `notebook` are left out, since the scan keeps a copy of that file.
    """
    commit = _git(folder, COMMIT_LIMIT, "rev-parse", "HEAD")
    if commit is None:
        return None
    left_out = [f":(exclude,icase,glob)**/{pattern}" for pattern in _PRIVATE]
    left_out.append(f":(exclude,literal){notebook}")
    # One byte more than the limit shows that the diff was cut.
    plain_diff = ["diff", "--no-ext-diff", "--no-textconv", "--no-color", "HEAD"]
    diff = _git(folder, DIFF_LIMIT + 1, *plain_diff, "--", ".", *left_out) or ""
    status = _git(folder, STATUS_LIMIT, "status", "--porcelain", "--", ".") or ""
    branch = _git(folder, BRANCH_LIMIT, "rev-parse", "--abbrev-ref", "HEAD") or ""
    return {
        "commit": commit.strip(),
        "branch": branch.strip(),
        "dirty": bool(status.strip()),
        "status": status.splitlines(),
        "diff": diff[:DIFF_LIMIT],
        "cut": len(diff) > DIFF_LIMIT,
    }


def _git(folder: Path, limit: int, *arguments: str) -> str | None:
    """Run git in a folder and return at most `limit` bytes of its output, or None if it fails."""
    environment = {
        **os.environ,
        "GIT_OPTIONAL_LOCKS": "0",  # `git status` would otherwise write into the repository
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_PAGER": "cat",
        "LC_ALL": "C",
    }
    try:
        process = subprocess.Popen(
            ["git", *_SETTINGS, "-C", str(folder), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
    except OSError:  # git is not installed
        return None
    return _bounded_output(process, limit)


def _bounded_output(process: subprocess.Popen[bytes], limit: int) -> str | None:
    """Return at most `limit` bytes of the output, or None if the process failed or took too long.

    A process with more output is killed. That is no failure.
    """
    # On a network disk git may hang. Without the timer, the start of the scan would hang as well.
    deadline = threading.Timer(GIT_TIMEOUT_S, process.kill)
    deadline.start()
    try:
        assert process.stdout is not None
        with process.stdout:
            output = process.stdout.read(limit)
            has_more = bool(process.stdout.read(1))
        if has_more:
            process.kill()
        exit_code = process.wait()
    finally:
        deadline.cancel()
    if exit_code != 0 and not has_more:
        return None
    return output.decode("utf-8", "replace")
