"""What tests of every kind share: waiting for something that happens in another process."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

T = TypeVar("T")
WITHIN_S = 90.0  # far more than anything here takes, since the machine may be busy otherwise
LOOK_S = 0.05


def eventually(look: Callable[[], T | None], what: str = "", within_s: float = WITHIN_S) -> T:
    """Return the first true value of `look()`. Fails if there is none within `within_s` seconds.

    `what` says in the failure what was waited for.
    """
    deadline = time.monotonic() + within_s
    while not (value := look()):
        assert time.monotonic() < deadline, (
            f"not within {within_s:g} s: {what or look}; last seen: {value!r}"
        )
        time.sleep(LOOK_S)
    return value


def break_workers(folder: Path, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every worker that is started from now on end at its start, with `words` on stderr.

    `folder` is made. A worker that was put into the scan's folder instead would be replaced.
    """
    folder.mkdir()
    line = f"{words}\n"
    (folder / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if any(word.endswith('worker.pyz') for word in sys.orig_argv):\n"
        f"    os.write(2, {line.encode()!r})\n"
        "    os._exit(1)\n"
    )
    path = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(folder), path))))


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns.

    It runs in a thread of its own, since browser tests leave an event loop in that of the tests.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
