"""The state of the git repository that a notebook lies in: commit, branch, status and changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_gridgpu.records.git_command import GitCommands
from jupyter_gridgpu.records.git_repository import find_repository, reading

DIFF_LIMIT = 200_000  # characters of the diff that are kept
STATUS_LIMIT = 5_000  # bytes of the status that are kept
STATUS_READ = 2_000_000  # bytes of the status that are looked at
HEAD_LIMIT = 500  # bytes of the commit and of the branch
ATTRIBUTES_LIMIT = 10_000_000  # bytes
FILTERED_KEPT = 100  # names of filtered files that are kept
# Patterns of file names. These files may hold secrets, so their changes are left out of the diff.
_PRIVATE = (
    "*.env", "*.pem", "*.key", "*.p12", "*token*", "*secret*", "*credential*", "*password*",
    "*proxy*", "*id_rsa*",
)  # fmt: skip
_NO_FILTER = (b"unspecified", b"unset")
_PLAIN_DIFF = ("diff", "--no-ext-diff", "--no-textconv", "--no-color")


@dataclass(frozen=True)
class _Change:
    """One line of `git status`: two letters, a name and, after a renaming, the name before."""

    letters: str
    name: bytes
    before: bytes = b""

    def line(self) -> str:
        names = [_shown(name) for name in (self.before, self.name) if name]
        return f"{self.letters} {' -> '.join(names)}"


def git_state(folder: Path, notebook: str) -> dict[str, Any] | None:
    """Return commit, branch, status and changes of a folder, or None if it is in no repository.

    The changes of the file `notebook` are left out, since the scan keeps a copy of that file.
    `dirty` is None where it is not known: git was too slow, or the only files that seem changed
    are those of `filtered`. A filter of git, such as LFS, turns them into what is committed, and
    a filter is a program of the repository that is not run here.
    """
    repository = find_repository(folder)
    if repository is None:
        return None
    try:
        with reading(repository, folder) as git:
            return _state(git, notebook)
    except OSError:  # git is not installed, or the repository or /tmp cannot be used
        return None


def _state(git: GitCommands, notebook: str) -> dict[str, Any] | None:
    head = git.run(HEAD_LIMIT, "rev-parse", "HEAD", "--abbrev-ref", "HEAD")
    if head is None:
        return None
    commit, _, branch = _text(head).partition("\n")
    changes = _changes(git)
    filtered = _filtered(git, changes or [])
    lines = [change.line() for change in changes or []]
    left_out = [f":(exclude,icase,glob)**/{pattern}" for pattern in _PRIVATE]
    left_out.append(f":(exclude,literal){notebook}")
    left_out += [f":(top,exclude,literal){_text(name)}" for name in filtered[:FILTERED_KEPT]]
    # One byte more than the limit shows that the diff was cut.
    diff = _text(git.run(DIFF_LIMIT + 1, *_PLAIN_DIFF, "HEAD", "--", ".", *left_out) or b"")
    return {
        "commit": commit.strip(),
        "branch": branch.strip(),
        "dirty": _is_dirty(changes, filtered),
        "status": "\n".join(lines)[:STATUS_LIMIT].splitlines(),
        "filtered": [_shown(name) for name in filtered[:FILTERED_KEPT]],
        "diff": diff[:DIFF_LIMIT],
        "cut": len(diff) > DIFF_LIMIT,
    }


def _changes(git: GitCommands) -> list[_Change] | None:
    """Return what is changed in the folder and below, or None if that is not known."""
    asked = ("status", "--porcelain", "-z", "--ignore-submodules=dirty", "--", ".")
    output = git.run(STATUS_READ, *asked)
    if output is None:
        return None
    # The last part is empty, or was cut.
    parts = iter(output.split(b"\0")[:-1])
    return list(_parsed(parts))


def _parsed(parts: Iterator[bytes]) -> Iterator[_Change]:
    for part in parts:
        letters = _text(part[:2])
        before = b""
        if letters[:1] in ("R", "C"):
            before = next(parts, b"")
        yield _Change(letters, part[3:], before)


def _filtered(git: GitCommands, changes: list[_Change]) -> list[bytes]:
    """Return the names of files that seem changed, and that a filter of git would turn."""
    names = [change.name for change in changes if change.letters[1:] == "M"]
    if not names:
        return []
    asked = ("check-attr", "--stdin", "-z", "filter")
    # git takes names from the folder that it runs in, and prints them from the top.
    top = _text(git.run(ATTRIBUTES_LIMIT, "rev-parse", "--show-cdup") or b"").strip()
    typed = b"".join(top.encode() + name + b"\0" for name in names)
    output = git.run(ATTRIBUTES_LIMIT, *asked, typed=typed) or b""
    values = output.split(b"\0")[2::3]
    return [name for name, value in zip(names, values, strict=False) if value not in _NO_FILTER]


def _is_dirty(changes: list[_Change] | None, filtered: list[bytes]) -> bool | None:
    """Return whether something is not committed, or None if that is not known."""
    if changes is None:
        return None
    unsure = set(filtered)
    # A first letter says that the index differs from the commit. No filter is asked for that.
    if any(change.letters != " M" or change.name not in unsure for change in changes):
        return True
    return None if unsure else False


def _shown(name: bytes) -> str:
    """Return the name of a file in one line, in quotes if it has odd characters."""
    text = _text(name)
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return json.dumps(text)


def _text(output: bytes) -> str:
    return output.decode("utf-8", "replace")
