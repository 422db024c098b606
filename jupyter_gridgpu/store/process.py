"""Processes named so that a name never means another process: host, boot, pid and start time."""

from __future__ import annotations

import functools
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Process:
    host: str
    boot: str
    pid: int
    start: int  # clock ticks since boot, or 0 where the system does not tell

    def alive(self) -> bool:
        """Whether that very process still runs here. Always False on another host or after a reboot."""
        if (self.host, self.boot) != (socket.gethostname(), boot_id()):
            return False
        state, start = _stat(self.pid)
        if state == "Z" and _goes_on(self.pid):
            state = "R"
        return state not in ("", "Z", "X") and (not self.start or start == self.start)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(body: Any) -> Process | None:
        """Return the process that a file names, or None if the file is not sound."""
        try:
            return Process(
                str(body["host"]), str(body["boot"]), int(body["pid"]), int(body["start"])
            )
        except (KeyError, TypeError, ValueError):
            return None


def this_process() -> Process:
    return process_of(os.getpid())


def process_of(pid: int) -> Process:
    """The process that has this pid here and now."""
    return Process(socket.gethostname(), boot_id(), pid, _stat(pid)[1])


@functools.cache
def boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _stat(pid: int) -> tuple[str, int]:
    """The state letter and start time of a process; ("", 0) if there is none.

    Read from /proc (proc(5), fields 3 and 22, behind the parenthesised name); elsewhere only existence is known.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return fields[0].decode(), int(fields[19])
    except (OSError, IndexError, ValueError):
        return _signalled(pid)


def _goes_on(pid: int) -> bool:
    """Whether only the first thread of a process has ended: so it looks while another one runs exec(2)."""
    try:
        return len(os.listdir(f"/proc/{pid}/task")) > 1 or _stat(pid)[0] not in ("", "Z", "X")
    except OSError:
        return False


def _signalled(pid: int) -> tuple[str, int]:
    if Path("/proc/self").exists():
        return "", 0
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "", 0
    except PermissionError:
        pass
    return "R", 0
