"""Tells whether a process may be forked after what it has imported."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

QUIET_THREADS = ("jemalloc_bg_thd",)  # names of threads that are known to survive a fork
SETTLE_S = 0.5  # for libraries to end their threads after a fork


def why_unfit() -> str | None:
    """Return why this process must not be forked, as the end of a sentence; None if it may be."""
    # If matplotlib chose its drawing backend before the fork, no figure would reach a notebook.
    backend = getattr(sys.modules.get("matplotlib.pyplot"), "_backend_mod", None)
    if backend is not None or "matplotlib_inline.backend_inline" in sys.modules:
        return "it makes matplotlib choose where to draw, which is for each kernel to do"
    if _other_threads() and _threads_after_fork():
        return "its import starts threads, which a fork does not survive"
    return None


def _other_threads() -> int:
    """Return how many threads this process has beside the calling one and QUIET_THREADS."""
    count = 0
    # Python does not list the threads that libraries start: only the system knows them.
    for thread in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError):  # it has just ended
            name = Path(f"/proc/self/task/{thread}/comm").read_text().strip()
            if name not in QUIET_THREADS:
                count += 1
    return count - 1


def _threads_after_fork() -> int:
    """Fork once and return how many other threads are left in this process.

    Some libraries, such as OpenBLAS, end their threads before a fork and start them again when they
    need them. Such libraries survive a fork.
    """
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    deadline = time.monotonic() + SETTLE_S
    count = _other_threads()
    while count and time.monotonic() < deadline:
        time.sleep(0.01)
        count = _other_threads()
    return count
