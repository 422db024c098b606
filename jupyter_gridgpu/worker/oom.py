"""What the operating system says of memory: on a node, it ends a process of a job that takes more than the job has."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")


def oom_kills() -> int:
    """Return how many processes of this one's group were ended for want of memory; 0 where nobody counts."""
    for counter in _counters():
        with contextlib.suppress(OSError):
            if found := re.search(r"^oom_kill (\d+)$", counter.read_text(), re.MULTILINE):
                return int(found[1])
    return 0


def _counters() -> Iterator[Path]:
    """The files that may have the count, in both versions of control groups; in a container the own group may be the root."""
    with contextlib.suppress(OSError):
        for line in OWN_GROUPS.read_text().splitlines():
            _, controllers, group = [*line.split(":", 2), "", ""][:3]
            if "memory" in controllers.split(","):
                yield GROUPS / "memory" / group.lstrip("/") / "memory.oom_control"
            elif not controllers:
                yield GROUPS / group.lstrip("/") / "memory.events"
    yield GROUPS / "memory.events"
