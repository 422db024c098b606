"""The lease on a file system without locks: the file of the newest generation names the owner.

The files are `runner.lock.1`, `runner.lock.2` and so on. A runner may make the next one only if the
owner that the newest one names is dead or has given the lease back. A file can be made only once,
so of many runners that see the same dead owner one gets the lease. To take a file over by a rename
would not do: a slow runner could rename the file that a faster one has just made.

The newest file is never removed, since a slow runner might make it a second time. The next owner
removes it. A slow runner that makes a file which was removed finds a newer one, and gives up.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
import uuid
from pathlib import Path
from typing import Any

from jupyter_gridgpu.store.paths import publish, read_json, write_json
from jupyter_gridgpu.store.process import Process, this_process

# Where there are no hard links either, a file may be seen before its text is in it.
UNREADABLE_TRIES = 20
UNREADABLE_PAUSE_S = 0.1


def held(lock: Path, stale_s: float) -> bool:
    """Return whether the newest file names a living owner that has not given the lease back.

    An owner on another host is believed for `stale_s` seconds after its last time stamp.
    """
    newest = max(_generations(lock), default=0)
    return newest > 0 and _is_owned(_file(lock, newest), stale_s)


def take(lock: Path, stale_s: float, term: int) -> Path | None:
    """Make the file of the next generation and return it, or None if another runner has the lease.

    `term` is the last term that is known; generations are counted on from there. Raises OSError.
    """
    newest = max(_generations(lock), default=0)
    if newest and _is_owned(_file(lock, newest), stale_s):
        return None
    mine = max(newest, term) + 1
    part = lock.with_name(f".{lock.name}.{uuid.uuid4().hex[:8]}")
    try:
        write_json(part, {"held": True, **this_process().to_json()})
        made = publish(part, _file(lock, mine))
    finally:
        part.unlink(missing_ok=True)
    if not made:
        return None
    known = _generations(lock)
    if max(known) > mine:
        _file(lock, mine).unlink(missing_ok=True)
        return None
    for older in known:
        if older < mine:
            _file(lock, older).unlink(missing_ok=True)
    return _file(lock, mine)


def give_back(generation: Path) -> None:
    """Say in the file of a generation that its owner has given the lease back. Raises OSError."""
    write_json(generation, {"held": False, **this_process().to_json()})


def _generations(lock: Path) -> list[int]:
    """Return the numbers of the files that are there."""
    name = re.compile(re.escape(lock.name) + r"\.(\d{1,9})")
    found = []
    with contextlib.suppress(OSError):
        for entry in os.listdir(lock.parent):
            number = name.fullmatch(entry)
            if number:
                found.append(int(number[1]))
    return found


def _file(lock: Path, number: int) -> Path:
    return lock.with_name(f"{lock.name}.{number}")


def _is_owned(path: Path, stale_s: float) -> bool:
    """Return whether a file names an owner that still has the lease."""
    body = _owner(path)
    process = Process.from_json(body)
    if process is None or body.get("held") is not True:
        return False
    if process.host == socket.gethostname():
        return process.alive()
    with contextlib.suppress(OSError):
        return time.time() - path.stat().st_mtime < stale_s
    return False


def _owner(path: Path) -> dict[str, Any]:
    """Return what a file says; an empty dict if it stays unreadable, as after a power cut."""
    for _ in range(UNREADABLE_TRIES):
        body = read_json(path)
        if isinstance(body, dict):
            return body
        if not path.exists():
            break
        time.sleep(UNREADABLE_PAUSE_S)
    return {}
