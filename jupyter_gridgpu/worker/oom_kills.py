"""Counts the processes of a job that the operating system killed because memory ran out.

Batch systems put each job into a control group (cgroup) with a memory limit. When the processes in
a group want more, Linux kills one of them and counts that in a file of the group.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")
_COUNT = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


def count_oom_kills() -> int:
    """Return how many processes of this process's control group were killed for lack of memory.

    Returns 0 where the system does not count them.
    """
    for counter in _counter_files():
        with contextlib.suppress(OSError):
            found = _COUNT.search(counter.read_text())
            if found:
                return int(found[1])
    return 0


def _counter_files() -> Iterator[Path]:
    """Yield the files that may hold the count, the most specific one first."""
    with contextlib.suppress(OSError):
        for line in OWN_CGROUPS.read_text().splitlines():
            # A line is NUMBER:CONTROLLERS:PATH; version 2 of control groups names no controllers.
            _, controllers, group = [*line.split(":", 2), "", ""][:3]
            if "memory" in controllers.split(","):
                yield CGROUPS / "memory" / group.lstrip("/") / "memory.oom_control"
            elif not controllers:
                yield CGROUPS / group.lstrip("/") / "memory.events"
    # In a container, the path may be the host's while the mounted root is the container's group.
    yield CGROUPS / "memory.events"
