"""Counts what the control group of a job refused: memory, by killing, and further processes.

Batch systems put each job into a control group (cgroup) with limits. When the processes in a group
want more memory, Linux kills one of them and counts that in a file of the group. When they want
more processes than allowed, the start of a process fails, and that is counted, too.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")


def count_oom_kills() -> int:
    """Return how many processes of this process's control group were killed for lack of memory.

    Returns 0 where the system does not count them.
    """
    return _count("memory", "memory.oom_control", "memory.events", "oom_kill")


def count_refused_processes() -> int:
    """Return how often this process's control group was refused another process or thread.

    Returns 0 where the system does not count that.
    """
    return _count("pids", "pids.events", "pids.events", "max")


def _count(controller: str, file_v1: str, file_v2: str, key: str) -> int:
    """Return the count after `key` in the first file that has one."""
    pattern = re.compile(rf"^{key} (\d+)$", re.MULTILINE)
    for counter in _counter_files(controller, file_v1, file_v2):
        with contextlib.suppress(OSError):
            found = pattern.search(counter.read_text())
            if found:
                return int(found[1])
    return 0


def _counter_files(controller: str, file_v1: str, file_v2: str) -> Iterator[Path]:
    """Yield the files that may hold the count, the most specific one first."""
    with contextlib.suppress(OSError):
        for line in OWN_CGROUPS.read_text().splitlines():
            # A line is NUMBER:CONTROLLERS:PATH; version 2 of control groups names no controllers.
            _, controllers, group = [*line.split(":", 2), "", ""][:3]
            if controller in controllers.split(","):
                yield CGROUPS / controller / group.lstrip("/") / file_v1
            elif not controllers:
                yield CGROUPS / group.lstrip("/") / file_v2
    # In a container, the path may be the host's while the mounted root is the container's group.
    yield CGROUPS / controller / file_v1
    yield CGROUPS / file_v2
