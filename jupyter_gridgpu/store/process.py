"""Names of processes that never mean another process: host, boot, pid and start time.

A pid alone is not enough: after a while, or after a reboot, another process has it.
"""

from __future__ import annotations

import functools
import os
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

NO_PROCESS = ("", 0)  # state letter and start time if there is no such process
DEAD = ("", "Z", "X")  # state letters of proc(5): none, a zombie, dead


@dataclass(frozen=True)
class Process:
    """The name of one process, as it is written into files."""

    host: str
    boot: str  # the kernel's id of the boot; "" where the system does not tell
    pid: int
    start: int  # clock ticks since boot; 0 where the system does not tell

    def alive(self) -> bool:
        """Return whether this very process still runs on this host.

        Returns False on another host and after a reboot.
        """
        if (self.host, self.boot) != (socket.gethostname(), boot_id()):
            return False
        state, start = _stat(self.pid)
        # A process whose first thread has ended looks like a zombie while another thread goes on,
        # for example while that thread replaces the program by exec(2).
        if state == "Z" and _other_threads_run(self.pid):
            state = "R"
        same_start = not self.start or start == self.start
        return state not in DEAD and same_start

    def age_s(self) -> float | None:
        """Return the seconds since the process started, whether it still runs or not.

        They come from the clock of the boot, which nobody can set. Returns None for a process of
        another host or boot, and where the system does not tell.
        """
        same = (self.host, self.boot) == (socket.gethostname(), boot_id())
        if not same or not self.start or not hasattr(time, "CLOCK_BOOTTIME"):
            return None
        started_s = self.start / os.sysconf("SC_CLK_TCK")
        return max(time.clock_gettime(time.CLOCK_BOOTTIME) - started_s, 0.0)

    def to_json(self) -> dict[str, Any]:
        """Return the name as a JSON object."""
        return asdict(self)

    @staticmethod
    def from_json(body: Any) -> Process | None:
        """Return the process that a JSON value names, or None if it names none."""
        try:
            return Process(
                str(body["host"]), str(body["boot"]), int(body["pid"]), int(body["start"])
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            return None


def this_process() -> Process:
    """Return the name of the process that calls this."""
    return process_of(os.getpid())


def process_of(pid: int) -> Process:
    """Return the name of the process that has this pid here and now."""
    return Process(socket.gethostname(), boot_id(), pid, _stat(pid)[1])


@functools.cache
def boot_id() -> str:
    """Return the kernel's id of this boot, or "" where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _stat(pid: int) -> tuple[str, int]:
    """Return the state letter and the start time of a process, or ("", 0) if there is none."""
    try:
        # proc(5), fields 3 and 22. The name of the program, field 2, may hold blanks and
        # parentheses itself, so the fields are counted from the last parenthesis.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return fields[0].decode(), int(fields[19])
    except (OSError, IndexError, ValueError):
        return _stat_without_proc(pid)


def _stat_without_proc(pid: int) -> tuple[str, int]:
    """Return what `_stat` does, on systems that have no /proc: only whether a process is there."""
    if Path("/proc/self").exists():
        return NO_PROCESS
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return NO_PROCESS
    except PermissionError:
        pass  # it is there and belongs to somebody else
    return "R", 0


def _other_threads_run(pid: int) -> bool:
    """Return whether a process that looks like a zombie has another thread that runs."""
    try:
        if len(os.listdir(f"/proc/{pid}/task")) > 1:
            return True
        # The exec(2) may be over since the state was read.
        return _stat(pid)[0] not in DEAD
    except OSError:
        return False
