"""A second user of this machine, for tests of what one user's files let another one do."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

OTHER = 65534  # nobody, who exists everywhere
needs_root = pytest.mark.skipif(
    os.geteuid() != 0 and os.environ.get("CI") != "true",
    reason="only root can act as a second user",
)


def give_away(*paths: Path) -> None:
    """Give files and folders to the other user."""
    for path in paths:
        os.lchown(path, OTHER, OTHER)


def as_other(look: Callable[[], Any]) -> Any:
    """Return what `look` returns, a value that JSON can hold, when the other user calls it.

    It runs in a child of this process: the other user may not be allowed to start this Python.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(OTHER)
            os.setuid(OTHER)
            os.write(write, json.dumps(look()).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        text = answer.read()
    os.waitpid(child, 0)
    assert text, "the second user could not look"
    return json.loads(text)


def allowed(paths: Sequence[Path]) -> list[str]:
    """Return what the other user may do with these files and folders, such as `read /a/b`."""
    found: list[str] = as_other(lambda: [word for path in paths for word in _allowed(path)])
    return found


def _allowed(path: Path) -> Iterator[str]:
    # The process has the other user's real and effective number.
    for mode, name in ((os.R_OK, "read"), (os.W_OK, "write")):
        if os.access(path, mode, follow_symlinks=False):
            yield f"{name} {path}"


@contextmanager
def open_place() -> Iterator[Path]:
    """Yield a new folder that all users may enter and read, as a home folder often is."""
    # The folders of pytest are closed to others, so nothing in them would be a test.
    place = Path(tempfile.mkdtemp(prefix="second-user-", dir="/tmp"))
    place.chmod(0o755)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
